"""Training step by memory layout, precision and compilation: the basis of those defaults.

.venv/bin/python scripts/measure_settings.py [NETWORK ...] [--recipe quick] [--batch 64]
    [--classes 10] [--rounds 5] [--settings contiguous channels_last bf16 compiled]

Prints images/s of the first setting, and each other setting's ratio to it. contiguous and
channels_last are float32 and eager; bf16, fp16 and compiled are in channels_last.
"""

import argparse
from dataclasses import replace
from typing import Any

import torch

import fastscale as fs
from fastscale.timing.interleaved import time_steps
from fastscale.training import load_recipe

NETWORKS = [
    "regnety-tiny",
    "regnety-tiny.d-x4",
    "regnety-tiny.dWr-x4",
    "regnetx-tiny",
    "regnetz-tiny",
    "efficientnet-tiny",
]
PLAIN = {"layout": "contiguous", "precision": "32-true", "compile": False}
SETTINGS: dict[str, dict[str, Any]] = {
    "contiguous": PLAIN,
    "channels_last": {**PLAIN, "layout": "channels_last"},
    "bf16": {**PLAIN, "layout": "channels_last", "precision": "bf16-mixed"},
    "fp16": {**PLAIN, "layout": "channels_last", "precision": "16-mixed"},
    "compiled": {**PLAIN, "layout": "channels_last", "compile": True},
}


def main() -> None:
    """Prints a line for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=list(SETTINGS),
        default=["contiguous", "channels_last", "bf16", "compiled"],
    )
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = load_recipe(args.recipe)
    first, *others = args.settings
    print(
        f"images/s on {device}, {torch.get_num_threads()} threads, batch {args.batch}; "
        f"then ratios to {first}"
    )
    print(f"{'network':28}{first:>14}" + "".join(f"{name:>15}" for name in others))
    for name in args.networks:
        rate = {}
        for setting in args.settings:
            arch, chosen = fs.arch(name), replace(recipe, **SETTINGS[setting])
            step = time_steps(
                [arch],
                chosen,
                batch=args.batch,
                num_classes=args.classes,
                device=device,
                rounds=args.rounds,
            )
            rate[setting] = args.batch / step[arch.name].median_s
        print(
            f"{name:28}{rate[first]:>14.0f}"
            + "".join(f"{rate[other] / rate[first]:>15.2f}" for other in others),
            flush=True,
        )


if __name__ == "__main__":
    main()
