"""`fastscale data`: images prepared for the loaders."""

import argparse
import sys

from fastscale.errors import InputError
from fastscale.verbs.parsing import Verbs


def add(verbs: Verbs) -> None:
    """data write."""
    text = "Fetch a data set and write it as train.beton and val.beton for FFCV."
    p = verbs.group("data", "Prepare images.").verb(
        "write", cmd_data_write, text, "fastscale data write fashion-mnist"
    )
    p.add_argument(
        "source",
        help="fashion-mnist, cifar10, imagenette, imagenet, or a folder or archive of train|val/<class>/*",
    )
    p.add_argument("--out", help="folder; the one where `fit` looks unless given")
    p.add_argument(
        "--data-dir", help="where data is kept; $FASTSCALE_DATA or ~/.cache/fastscale unless given"
    )
    p.add_argument("--max-resolution", type=int, help="longest side stored, in pixels")
    p.add_argument(
        "--jpeg-quality",
        type=int,
        help="encode all anew; unless given, JPEG files that are small enough are kept as they are",
    )
    p.add_argument(
        "--raw-share", type=float, default=0.0, help="share of images stored as raw pixels, 0 to 1"
    )
    p.add_argument("--workers", type=int)
    p.add_argument(
        "--skip-broken", action="store_true", help="leave broken images out instead of failing"
    )
    p.add_argument("--limit", type=int, help="only so many images of each split, for a trial")


def cmd_data_write(args: argparse.Namespace) -> int:
    """A source into train.beton and val.beton."""
    from fastscale.data.write import BrokenImages, write

    if args.limit is not None and not (args.out or args.data_dir):
        raise InputError(
            "--limit writes a trial set, which must not pass for the whole: give it a place of its own with --data-dir DIR"
        )
    try:
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
