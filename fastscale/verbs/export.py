"""`fastscale export`: a checkpoint as a file that runs without this package."""

import argparse
from pathlib import Path

from fastscale.verbs.parsing import Verbs, add_weights, whole


def add(verbs: Verbs) -> None:
    """export."""
    p = verbs.verb(
        "export",
        cmd_export,
        "Write a checkpoint as ONNX or as a torch.export program, batch norm folded into the convs.",
        "fastscale export runs/regnety-tiny.dWr-x4.quick/seed0 --to onnx tiny.onnx",
    )
    p.add_argument("checkpoint", help="a released name, a file, or a run's folder")
    p.add_argument("file", type=Path, help="what to write")
    p.add_argument("--to", choices=("onnx", "torch"), default="onnx")
    p.add_argument(
        "--resolution",
        type=whole(8, 4096),
        help="pixels a side of the images it will take; default: the network's own",
    )
    add_weights(p)
    p.add_argument("--unfused", action="store_true", help="keep batch norms as they are")


def cmd_export(args: argparse.Namespace) -> int:
    """One file."""
    from fastscale.release.export import EXPORTS

    written = EXPORTS[args.to](
        args.checkpoint, args.file, args.resolution, not args.unfused, weights=args.weights
    )
    print(
        f"{written}: {written.stat().st_size / 1e6:.1f} MB, takes normalised RGB images (N, 3, R, R), gives logits"
    )
    return 0
