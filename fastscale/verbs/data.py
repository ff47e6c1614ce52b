"""`fastscale data`: images prepared for the loaders."""

import argparse
import sys

from fastscale.errors import InputError
from fastscale.verbs.parsing import Parser, Verbs, real, whole
from fastscale.verbs.signals import ended_by_signals

SOURCE = (
    "fashion-mnist, cifar10, imagenette, imagenet, or a folder or archive of train|val/<class>/*"
)


def add(verbs: Verbs) -> None:
    """data write, data verify."""
    data = verbs.group("data", "Prepare images, and check what was prepared.")
    text = "Fetch a data set and write it as train.beton and val.beton for FFCV."
    p = data.verb("write", cmd_data_write, text, "fastscale data write fashion-mnist")
    p.add_argument("source", help=SOURCE)
    _add_places(p, "folder to write to; default: the one where `fit` looks")
    p.add_argument("--max-resolution", type=whole(1, 65535), help="longest side stored, in pixels")
    p.add_argument(
        "--jpeg-quality",
        type=whole(1, 100),
        help="encode all images; default: JPEG files that are small enough are kept as they are",
    )
    p.add_argument(
        "--raw-share",
        type=real(0, 1),
        default=0.0,
        help="share of images stored as raw pixels, 0 to 1; default: 0",
    )
    p.add_argument(
        "--workers", type=whole(0, 1024), help="processes; default: the cores of this machine"
    )
    p.add_argument(
        "--skip-broken", action="store_true", help="leave broken images out instead of failing"
    )
    p.add_argument("--limit", type=whole(1), help="only so many images of each split, for a trial")
    text = "Read written data whole, and compare it with its source hash by hash."
    p = data.verb("verify", cmd_data_verify, text, "fastscale data verify fashion-mnist")
    p.add_argument("source", nargs="?", help=f"{SOURCE}; default: all that are written here")
    _add_places(p, "folder that it was written to; default: the one where `fit` looks")


def _add_places(p: Parser, out: str) -> None:
    p.add_argument("--out", help=out)
    p.add_argument(
        "--data-dir",
        help="where data is kept; default: $FASTSCALE_DATA or ~/.cache/fastscale",
    )


def cmd_data_verify(args: argparse.Namespace) -> int:
    """Every written split, read whole."""
    from fastscale.data.verify import verify, written

    if args.source is None and args.out:
        raise InputError("--out: name the source that was written there, too")
    specs = [args.source] if args.source else written(args.data_dir)
    if not specs:
        raise InputError("nothing is written here yet; see fastscale data write --help")
    problems = sum(verify(spec, args.out, args.data_dir) for spec in specs)
    return 1 if problems else 0


def cmd_data_write(args: argparse.Namespace) -> int:
    """A source into train.beton and val.beton."""
    from fastscale.data.write import BrokenImages, write

    if args.limit is not None and not (args.out or args.data_dir):
        raise InputError(
            "--limit writes a trial set, which must not pass for the whole: give it a place of its own with --data-dir DIR"
        )
    try:
        with ended_by_signals("the same command writes what is missing"):
            infos = write(
                args.source,
                args.out,
                max_resolution=args.max_resolution,
                jpeg_quality=args.jpeg_quality,
                raw_share=args.raw_share,
                workers=args.workers,
                skip_broken=args.skip_broken,
                limit=args.limit,
                data_dir=args.data_dir,
            )
    except BrokenImages as error:
        print(error, file=sys.stderr)
        return 1
    for split, info in infos.items():
        print(
            f"{split}: {info.count} images in {len(info.classes)} classes, sha256 of the list of file hashes {info.list_digest}"
        )
    return 0
