"""`fastscale time`: step and epoch times."""

import argparse
import sys
from pathlib import Path

from fastscale import api
from fastscale.verbs.parsing import Verbs, runs_dir


def add(verbs: Verbs) -> None:
    """time."""
    p = verbs.verb(
        "time",
        cmd_time,
        "Measure training step and epoch time on dummy data.",
        "fastscale time regnety-tiny regnety-tiny.dWr-x4 --recipe quick --data fashion-mnist --images 60000 --classes 10",
    )
    p.add_argument("arch", nargs="+")
    p.add_argument("--recipe", default="imagenet-100ep", help="precision, layout, batch and optimizer")
    p.add_argument("--data", default="imagenet", help="whose epoch it is")
    p.add_argument("--images", type=int, default=1_281_167, help="images in an epoch (ImageNet's unless given)")
    p.add_argument("--classes", type=int, default=1000)
    p.add_argument("--batch", type=int, help="images a step; the recipe's unless given")
    p.add_argument("--device", default="auto")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--runs_dir", default=runs_dir())


def cmd_time(args: argparse.Namespace) -> int:
    """Step and epoch times, as records."""
    from fastscale.records import RecordStore
    from fastscale.timing.epoch import time_epochs
    from fastscale.training.recipe import load_recipe

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{total} measurements", end="\n" if done == total else "", file=sys.stderr, flush=True)

    records = time_epochs(
        [api.arch(name) for name in args.arch],
        load_recipe(args.recipe),
        data=args.data,
        images=args.images,
        num_classes=args.classes,
        batch=args.batch,
        device=args.device,
        rounds=args.rounds,
        progress=progress,
    )
    store = RecordStore(Path(args.runs_dir) / "records.jsonl")
    print(f"{'network':32}{'step, ms':>12}{'spread':>9}{'images/s':>11}{'epoch, min':>12}   ({records[0].env['device']})")
    for r in records:
        v = r.values
        step, spread = 1e3 * v["step_time_s"], 1e3 * v["step_time_spread_s"]
        print(f"{r.arch:32}{step:>12.2f}{spread:>9.2f}{v['images_per_s']:>11.0f}{v['epoch_time_min']:>12.3f}")
        store.append(r)
    return 0
