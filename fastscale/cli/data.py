"""`fastscale data write | check | verify`: prepares images for training."""

import argparse
import shlex
import sys
from pathlib import Path

from fastscale.cli.options import Parser, Verbs, given, real, whole
from fastscale.cli.signals import ended_by_signals
from fastscale.cli.terminal import says_new_folder
from fastscale.errors import InputError

SOURCE = (
    "fashion-mnist, cifar10, imagenette, imagenet, or a folder or archive of <class>/* or "
    "train|val/<class>/*"
)

DATA_DIR = "folder of all data sets; default: $FASTSCALE_DATA or ~/.cache/fastscale"

VERBS = {
    "write": "Fetch a data set and write it as train.beton and val.beton for FFCV.",
    "check": "Report problems of images: broken, copied, tiny, grey, turned, rare classes.",
    "verify": "Read all written data, and compare every hash with the source.",
}


def add_data(verbs: Verbs) -> None:
    data = verbs.group("data", VERBS)
    p = data.verb("write", cmd_write, "fastscale data write folder:PHOTOS --val 0.2")
    p.add("source", None, SOURCE)
    _add_places(p, "folder to write to; default: the one where `fit` looks")
    p.add("--max-resolution", whole(1, 65535), "longest side stored, in pixels")
    text = "encode all images; default: JPEG files that are small enough are kept unchanged"
    p.add("--jpeg-quality", whole(1, 100), text)
    text = "share of images stored as raw pixels, 0 to 1; default: 0"
    p.add("--raw-share", real(0, 1), text, default=0.0)
    p.add("--workers", whole(0, 1024), "processes; default: the cores of this machine")
    p.add("--skip-broken", bool, "leave broken images out instead of failing")
    text = (
        "share of each class kept for validation, if all images are in one folder of class "
        "folders; default: 0.2, or the share used before"
    )
    p.add("--val", real(0.001, 0.999), text, metavar="SHARE")
    p.add("--limit", whole(1), "only this many images of each split, for a trial")
    p = data.verb("check", cmd_check, "fastscale data check folder:PHOTOS")
    p.add("source", None, SOURCE)
    p.add("--data-dir", None, DATA_DIR)
    p = data.verb("verify", cmd_verify, "fastscale data verify fashion-mnist")
    p.add("source", None, f"{SOURCE}; default: all that were written here", nargs="?")
    _add_places(p, "folder it was written to; default: the one where `fit` looks")


def _add_places(p: Parser, out: str) -> None:
    p.add("--out", None, out, dest="out_dir", metavar="OUT")
    p.add("--data-dir", None, DATA_DIR)


def cmd_check(args: argparse.Namespace) -> int:
    """Exit code 1 if a problem would spoil training or its error."""
    from fastscale.data.check import check

    with ended_by_signals("nothing was changed"):
        return 1 if check(args.source, args.data_dir) else 0


def cmd_verify(args: argparse.Namespace) -> int:
    """Reads every written split in full."""
    from fastscale.data.here import written
    from fastscale.data.verify import verify

    if args.source is None and args.out_dir:
        raise InputError("--out: name the source that was written there, too")
    specs = [args.source] if args.source else list(written(args.data_dir))
    if not specs:
        raise InputError("nothing is written here yet; see fastscale data write --help")
    problems = sum(verify(spec, args.out_dir, args.data_dir) for spec in specs)
    return 1 if problems else 0


def cmd_write(args: argparse.Namespace) -> int:
    """Writes a source as train.beton and val.beton."""
    from fastscale.data.write import BrokenImages, write

    if args.limit is not None and not (args.out_dir or args.data_dir):
        raise InputError(
            "--limit writes a trial set, which must not be mistaken for the whole: "
            "give it its own folder with --data-dir DIR"
        )
    try:
        with (
            ended_by_signals("the same command writes what is missing"),
            says_new_folder(Path(args.out_dir or ".")),
        ):
            infos = write(**given(args, write))
    except BrokenImages as error:
        print(error, file=sys.stderr)
        return 1
    for split, info in infos.items():
        print(
            f"{split}: {info.count} images in {len(info.classes)} classes, "
            f"sha256 of the list of file hashes {info.list_digest}"
        )
    if args.out_dir is None and args.limit is None:
        place = ["--data.data_dir", args.data_dir] if args.data_dir else []
        words = ["fastscale", "fit", "NETWORK", "--data.source", args.source, *place]
        print(f"next: {shlex.join(words)}")
    return 0
