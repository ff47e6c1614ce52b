"""`fastscale checkpoint publish | list | show | verify | load-test | import`: released networks."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastscale.errors import InputError
from fastscale.verbs.parsing import Verbs, add_weights, real, runs_dir, whole

SOURCES = ("pycls", "timm", "torchvision", "efficientnet-lite")


def add(verbs: Verbs) -> None:
    """checkpoint publish, list, show, verify, load-test, import."""
    group = verbs.group(
        "checkpoint", "Released networks: publish, list, show, verify, load, import."
    )
    lightning = "\n\nFurther options are Lightning's: --data.workers 4, --trainer.devices 1."
    example = (
        "fastscale checkpoint publish regnety-tiny.dWr-x4.quick --url https://example.org/{file}"
        + lightning
    )
    p = group.verb(
        "publish",
        cmd_publish,
        "Release a finished run; of several seeds, the one nearest to their mean.",
        example,
        further=True,
    )
    p.add_argument("run", help="a run's name, its folder, or a seed's folder")
    p.add_argument("--runs_dir", default=runs_dir())
    p.add_argument("--out", metavar="DIR", help="default: checkpoints/ of the current folder")
    add_weights(p)
    p.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of what is stored"
    )
    p.add_argument(
        "--url",
        action="append",
        default=[],
        help="where it will be served, {file} for its name; again for mirrors",
    )
    p.add_argument("--licence", default="MIT", help="of the weights")
    p.add_argument(
        "--tolerance",
        type=real(0, 1),
        help="percentage points that an evaluation elsewhere may differ, at most 1; default: 0.02",
    )
    p.add_argument("--data", metavar="SOURCE", help="what it was trained on unless given")
    p.add_argument(
        "--hub", metavar="ORG/NAME", help="publish to this repository of a model hub as well"
    )
    p.add_argument("--private", action="store_true", help="make that repository a private one")

    p = group.verb(
        "list",
        cmd_list,
        "Released networks with their counts and errors.",
        "fastscale checkpoint list regnety",
    )
    p.add_argument("pattern", nargs="?", default="", help="only names that contain this")
    p.add_argument("--json", action="store_true")

    p = group.verb(
        "show",
        cmd_show,
        "All about one checkpoint.",
        "fastscale checkpoint show regnety-tiny.dWr-x4_fashion-mnist",
    )
    p.add_argument("name", help="a released name, or whatever fs.load takes")
    p.add_argument("--json", action="store_true")

    example = (
        "fastscale checkpoint verify regnety-tiny.dWr-x4_fashion-mnist --images 1000" + lightning
    )
    p = group.verb(
        "verify", cmd_verify, "Hash and evaluate released networks again.", example, further=True
    )
    p.add_argument("name", nargs="*", help="released names; all unless given")
    p.add_argument(
        "--images", type=whole(1), help="evaluate on so many images only, the same ones every time"
    )
    p.add_argument("--no-evaluate", action="store_true", help="only files, headers and records")
    p.add_argument("--data", metavar="SOURCE", help="what it was trained on unless given")

    p = group.verb(
        "load-test",
        cmd_load_test,
        "Load released networks and run each once.",
        "fastscale checkpoint load-test",
    )
    p.add_argument("name", nargs="*", help="released names; all unless given")

    example = "fastscale checkpoint import resnet50.pth --from timm --arch resnet-50"
    p = group.verb("import", cmd_import, "Another project's weights as a file of ours.", example)
    p.add_argument("file")
    p.add_argument("--from", dest="source", required=True, choices=SOURCES)
    p.add_argument("--arch", help="found by the weights' structure unless given")
    p.add_argument(
        "--out", metavar="DIR", default=".", help="where the .safetensors goes; default: here"
    )
    add_weights(p)


def cmd_publish(args: argparse.Namespace, rest: list[str]) -> int:
    """A run into checkpoints/, and to a hub."""
    from fastscale.release.places import RECORDS, home
    from fastscale.release.publish import TOLERANCE, publish

    if args.hub:
        from fastscale.release.hub import reachable

        reachable(args.hub)  # what is missing is said before a long evaluation
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    entry, path = publish(
        args.run,
        args.runs_dir,
        args.out,
        dtype=args.dtype,
        urls=args.url,
        licence=args.licence,
        tolerance=tolerance,
        source=args.data,
        arguments=rest,
        weights=args.weights,
    )
    error = entry.errors["top1_error"]
    spread = (
        f"mean of {error['n']} seeds {error['mean']:.2f}, std {error['std']:.2f}"
        if error["n"] > 1
        else "a single run"
    )
    print(
        f"{path}: {entry.weights} weights of seed {entry.seed}, top-1 error {error['value']:.2f} % ({spread}), {entry.bytes:,} bytes"
    )
    name = entry.short if path.parent.resolve() == home().resolve() else path
    print(f'loads with fastscale.load("{name}"); its card: {path.with_name(entry.name + ".md")}')
    if args.hub:
        from fastscale.release.hub import to_hub
        from fastscale.release.verify import records_in

        own = [
            r.to_json() + "\n"
            for i, r in records_in(path.parent / RECORDS).items()
            if i in entry.record_ids
        ]
        card = path.with_name(entry.name + ".md").read_text(encoding="utf-8")
        print(
            f"published: {to_hub(args.hub, entry, path.parent, card, ''.join(own), args.private)}"
        )
    return 0


def entries(names: list[str]) -> list[Any]:
    """The manifest's entries of these names, all for none."""
    from fastscale.release.manifest import find, unknown
    from fastscale.release.places import released

    there, out = released(), []
    for name in names:
        entry = find(name, there)
        if entry is None:
            raise unknown(name, there)
        out.append(entry)
    return out or there


def cmd_list(args: argparse.Namespace) -> int:
    """A line for each released network."""
    there = [e for e in entries([]) if args.pattern in e.name]
    if args.json:
        print(json.dumps([asdict(e) for e in there], ensure_ascii=False))
        return 0
    if not there:
        print(
            "nothing is released"
            + (f" under a name with {args.pattern!r}" if args.pattern else " yet")
        )
        return 0
    width = max(len(e.name) for e in there) + 2
    print(
        f"{'name':{width}}{'px':>5}{'flops (multiply-adds)':>24}{'params':>14}{'top-1 error, %':>16}{'runs':>6}{'MB':>9}"
    )
    for e in there:
        error = e.errors["top1_error"]
        print(
            f"{e.name:{width}}{e.resolution:>5}{e.flops:>24,}{e.params:>14,}{error['value']:>16.2f}{error['n']:>6}{e.bytes / 1e6:>9.2f}"
        )
    return 0


def cmd_show(args: argparse.Namespace) -> int:
    """The card of a released network, or the description in any other checkpoint."""
    from fastscale.release.card import card
    from fastscale.release.load import open_checkpoint
    from fastscale.release.manifest import find
    from fastscale.release.places import released
    from fastscale.release.verify import records_here

    entry = find(args.name, released())
    if entry is not None:
        records = records_here()
        print(
            json.dumps(asdict(entry), ensure_ascii=False)
            if args.json
            else card(entry, [records[i] for i in entry.record_ids if i in records])
        )
        return 0
    about = {k: v for k, v in asdict(open_checkpoint(args.name).about).items() if v is not None}
    if args.json:
        print(json.dumps(about, ensure_ascii=False))
        return 0
    for name, value in about.items():
        shown = value
        if isinstance(value, tuple):
            shown = ", ".join(map(str, value[:12])) + (", ..." if len(value) > 12 else "")
        elif isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items())
        print(f"{name:18}{shown}")
    return 0


def cmd_verify(args: argparse.Namespace, rest: list[str]) -> int:
    """Exit code 1 if any is not what the manifest says, or could not be evaluated."""
    from fastscale.data.sources import source
    from fastscale.release.verify import verify

    if args.data is not None:
        source(args.data)  # a name that there is not is the user's mistake, and none of the files'
    failed = 0
    for entry in entries(args.name):
        found = verify(entry, args.data, rest, args.images, not args.no_evaluate)
        failed += bool(found.problems or found.unevaluated)
        verdict = (
            "WRONG"
            if found.problems
            else "could not be evaluated"
            if found.unevaluated
            else "as released"
        )
        print(f"{entry.name}: {verdict}")
        for line in found.lines:
            print(f"  {line}")
        for line in found.problems:
            print(f"error: {entry.name}: {line}", file=sys.stderr)
        if found.unevaluated:
            print(
                f"error: {entry.name}: could not be evaluated: {found.unevaluated}", file=sys.stderr
            )
    return 1 if failed else 0


def cmd_load_test(args: argparse.Namespace) -> int:
    """Exit code 1 if any cannot be loaded."""
    from fastscale.release.verify import load_test

    failed = 0
    for entry in entries(args.name):
        try:
            print(f"{entry.name}: {load_test(entry)}")
        except InputError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    return 1 if failed else 0


def cmd_import(args: argparse.Namespace) -> int:
    """Another project's file into one of ours, which loads by its path."""
    from fastscale.release.importing import import_file
    from fastscale.release.load import from_imported
    from fastscale.release.publish import write_imported

    if not Path(args.file).is_file():
        raise InputError(f"{args.file}: no such file")
    chosen = {} if args.weights == "auto" else {"weights": args.weights}
    found = import_file(args.file, args.source, args.arch, **chosen)
    path = write_imported(from_imported(found), args.source, args.out)
    print(f'{path}: loads with fastscale.load("{path}")')
    return 0
