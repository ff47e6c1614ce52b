"""`fastscale predict | export | report`: uses checkpoints and records."""

import argparse
import csv
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from fastscale.cli.options import Verbs, whole
from fastscale.cli.terminal import says_new_folder
from fastscale.home import home


def add_predict(verbs: Verbs) -> None:
    example = "fastscale predict photo.jpg --checkpoint regnety-tiny.dWr-x4_fashion-mnist"
    p = verbs.verb("predict", cmd_predict, example)
    p.add("image", None, "image files, or folders of them", nargs="+")
    text = "a released name (see `fastscale checkpoint list`), a file or a run's folder"
    p.add("--checkpoint", None, text, required=True, metavar="NAME")
    p.add("--top", whole(1, 1_000_000), "classes per image; default: 5", default=5)
    p.weights()
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one list of all images at the end")
    form.add_argument("--csv", action="store_true", help="print a line per class of each image")


def add_export(verbs: Verbs) -> None:
    example = "fastscale export runs/regnety-tiny.dWr-x4.quick/seed0 tiny.onnx"
    p = verbs.verb("export", cmd_export, example)
    p.add("checkpoint", None, "a released name, a file, or a run's folder")
    p.add("file", Path, "file to write: .onnx, or .pt2 for torch.export")
    p.add("--to", ("onnx", "torch"), "format; default: by the suffix of the file")
    text = "pixels a side of its input images; default: the network's own"
    p.add("--resolution", whole(8, 4096), text)
    what = p.add_mutually_exclusive_group()
    text = "accept images of any size: the exported model crops and resizes them"
    what.add_argument("--any-size", action="store_true", help=text)
    text = "leave out preprocessing: the input is the output of `fastscale.transforms`"
    what.add_argument("--normalised", action="store_true", help=text)
    p.weights()
    p.add("--unfused", bool, "do not fold batch norms into convs")


def add_report(verbs: Verbs) -> None:
    p = verbs.verb("report", cmd_report, "fastscale report --runs-dir runs")
    text = "default: paper_figures/report.html, or DIR/report.html with --runs-dir"
    p.add("--out", Path, text, metavar="FILE")
    p.add("--runs-dir", Path, "show the records of these runs too", metavar="DIR")


def cmd_predict(args: argparse.Namespace) -> int:
    """Prints predictions on stdout, and one line on stderr for each unreadable image.

    Exit code 1 if any image is unreadable, 2 if all are.
    """
    from fastscale.release.predict import image_files, predict, predictor

    files = image_files(args.image)
    bad, rows = 0, []
    for found in predict(predictor(args.checkpoint, args.weights), files, args.top):
        if found.problem:
            bad += 1
            print(f"error: {found.problem}", file=sys.stderr)
            continue
        top = [{"class": c, "label": k, "probability": round(p, 6)} for c, k, p in found.top]
        rows.append({"image": found.image, "top": top})
        if not args.json:
            show(rows[-1], args.csv, first=len(rows) == 1)
    if args.json and rows:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return 0 if not bad else 1 if rows else 2


def show(row: dict[str, Any], as_csv: bool, first: bool) -> None:
    """Prints the classes of one image, the most likely first."""
    from fastscale.data.scan import one_line

    if not as_csv:
        print(one_line(row["image"]))
        for found in row["top"]:
            print(f"  {100 * found['probability']:6.2f} %  {found['class']}")
        return
    lines = csv.writer(sys.stdout, lineterminator="\n")
    if first:
        lines.writerow(["image", "rank", "class", "label", "probability"])
    for rank, found in enumerate(row["top"], 1):
        lines.writerow([one_line(row["image"]), rank, *found.values()])


def cmd_export(args: argparse.Namespace) -> int:
    """Writes one file and prints what it takes."""
    from fastscale.release.export import export
    from fastscale.release.exported import SUFFIXES

    kinds = {suffix: kind for kind, suffix in SUFFIXES.items()}
    with says_new_folder(args.file.parent):
        found = export(
            args.checkpoint,
            args.file,
            args.to or kinds.get(args.file.suffix, "onnx"),
            args.resolution,
            not args.unfused,
            args.weights,
            args.any_size,
            args.normalised,
        )
    about, size = found.about, found.path.stat().st_size / 1e6
    names = ", ".join(about.get("classes", ())[:4])
    named = f" ({names}{', ...' if about['num_classes'] > 4 else ''})" if names else ""
    print(
        f"{found.path}: {size:.1f} MB, takes {about['takes']}, gives "
        f"{' and '.join(about['outputs'])} of {about['num_classes']} classes{named}"
    )
    print(f"checked with {found.runtime}: logits within {found.difference:.1g} of the network's")
    print(f"try it: fastscale predict photo.jpg --checkpoint {shlex.quote(str(found.path))}")
    return 0


def cmd_report(args: argparse.Namespace) -> int:
    """Writes the page of records and published points."""
    from fastscale.paper.report import write_report

    with says_new_folder(args.out.parent if args.out else args.runs_dir or home().figures):
        path = write_report(args.out, args.runs_dir)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    print(f"{shown} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
    return 0
