"""Training step time in both memory layouts, side by side in one run: what `layout: auto` rests on (fastscale/training/layout.py).

.venv/bin/python scripts/measure_layout.py [NETWORK ...] [--recipe quick] [--batch 128] [--classes 10] [--rounds 5]
"""

import argparse
from dataclasses import replace

import torch

import fastscale as fs
from fastscale.timing.turns import time_steps
from fastscale.training import load_recipe

NETWORKS = ["regnety-tiny", "regnety-tiny.d-x4", "regnety-tiny.dWr-x4", "regnetx-tiny", "regnetz-tiny", "efficientnet-tiny"]


def main() -> None:
    """Prints images/s in each layout and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = load_recipe(args.recipe)
    print(f"{'network':28}{'contiguous':>14}{'channels_last':>16}{'ratio':>8}   images/s on {device}, {torch.get_num_threads()} threads")
    for name in args.networks:
        rate = {}
        archs = {layout: replace(fs.arch(name), name=layout) for layout in ("contiguous", "channels_last")}
        for layout, arch in archs.items():
            step = time_steps(
                [arch], replace(recipe, layout=layout), batch=args.batch, num_classes=args.classes, device=device, rounds=args.rounds
            )
            rate[layout] = args.batch / step[layout].median_s
        ratio = rate["channels_last"] / rate["contiguous"]
        print(f"{name:28}{rate['contiguous']:>14.0f}{rate['channels_last']:>16.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
