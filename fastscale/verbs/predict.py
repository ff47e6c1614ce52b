"""`fastscale predict`: what a checkpoint sees in images."""

import argparse
import json
import sys

from fastscale.verbs.parsing import Verbs, add_weights, whole


def add(verbs: Verbs) -> None:
    """predict."""
    p = verbs.verb(
        "predict",
        cmd_predict,
        "The likeliest classes of images.",
        "fastscale predict photo.jpg --checkpoint regnety-tiny.dWr-x4_fashion-mnist",
    )
    p.add_argument("image", nargs="+", help="image files, or folders of them")
    p.add_argument(
        "--checkpoint",
        required=True,
        metavar="NAME",
        help="a released name, a file, a run's folder (see `checkpoint list`)",
    )
    p.add_argument(
        "--top", type=whole(1, 1_000_000), default=5, help="classes an image; default: 5"
    )
    add_weights(p)
    p.add_argument("--json", action="store_true")


def cmd_predict(args: argparse.Namespace) -> int:
    """Predictions on stdout; a line on stderr for each unreadable image: exit code 1, or 2 if there was no readable one."""
    from fastscale.release.load import open_checkpoint
    from fastscale.release.predict import image_files, predict

    files = image_files(args.image)
    good, bad, rows = 0, 0, []
    for found in predict(open_checkpoint(args.checkpoint, args.weights), files, args.top):
        if found.problem:
            bad += 1
            print(f"error: {found.problem}", file=sys.stderr)
            continue
        good += 1
        if args.json:
            rows.append(
                {
                    "image": found.image,
                    "top": [
                        {"class": c, "label": k, "probability": round(p, 6)}
                        for c, k, p in found.top
                    ],
                }
            )
            continue
        print(found.image)
        for name, _, share in found.top:
            print(f"  {100 * share:6.2f} %  {name}")
    if args.json and good:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    return 0 if not bad else 1 if good else 2
