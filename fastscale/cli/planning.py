"""`fastscale plan`: the largest networks that fit a budget, on a device."""

import argparse
import json
import shlex
from collections.abc import Iterator

from fastscale.cli.options import (
    BATCH,
    CLASSES,
    COUNT,
    DEVICES,
    IMAGES,
    PIXELS,
    Verbs,
    given,
    real,
)
from fastscale.errors import InputError

RECIPE = "imagenet-100ep"  # of the run names
FINE_TUNING = "finetune-thousands"  # of those that start from weights, on images not said
FEW = 30_000  # images: with fewer, trained weights matter more than the network's size


def add_plan(verbs: Verbs) -> None:
    """plan. Options bear the names of `fastscale.plan`'s parameters, whose defaults hold."""
    example = (
        "fastscale plan regnety-500mf regnetz-500mf --epoch-time-min 10\n"
        "  fastscale plan --flops 4G --device h100\n"
        "  fastscale plan --weights --data folder:PHOTOS --flops 1G"
    )
    p = verbs.verb("plan", cmd_plan, example)
    text = "networks to scale; default: regnety-500mf regnetz-500mf efficientnet-b0"
    p.add("bases", None, text, nargs="*", metavar="base")
    p.own_archs()
    text = "default: d wg r dw dwr dwgr alpha=2/3 dWr; `family`: alpha from 0 to 1"
    p.add("--strategies", None, text, nargs="+", metavar="S")
    p.group_widths("the paper's; with the default strategies both, where the law minds it")
    text = "pixels a side of the base networks' images; default: their own"
    p.add("--resolution", PIXELS, text)
    p.add("--flops", COUNT, "multiply-adds of one image, as in 4e9, 4G or 400M")
    p.add("--params", COUNT)
    p.add("--acts", COUNT)
    text = "minutes of a training epoch, on a device measured in training"
    p.add("--epoch-time-min", real(1e-6, 1e7), text)
    p.add("--memory-mib", real(1, 1e12), "training memory of one device")
    p.add("--latency-ms", real(1e-6, 1e12), "time of one batch, on a device measured at inference")
    text = "memory of one device that serves --latency-batch images at once"
    p.add("--inference-memory-mib", real(1, 1e12), text)
    text = (
        "h100, v100, rtx-4090, ... (`fastscale list devices`), a file of time records, or a name "
        "in records; twice to train and serve; default: h100 for epoch times"
    )
    p.add("--device", None, text, action="append")
    text = (
        "images a training step on one device (of inference where only that is planned for); "
        "default: as measured there"
    )
    p.add("--batch", BATCH, text)
    text = "images a step at inference; default: as measured there, else 1"
    p.add("--latency-batch", BATCH, text)
    text = "number of GPUs that share an epoch; default: 8 for named devices, 1 for records"
    p.add("--devices", DEVICES, text)
    text = "of an epoch; default: ImageNet's"
    p.add("--images", IMAGES, text, default=argparse.SUPPRESS)
    p.add("--classes", CLASSES, "default: 1000", default=argparse.SUPPRESS, dest="num_classes")
    p.add("--precision", None, "which records, where they differ: 32-true, 16-mixed, bf16-mixed")
    text = "which records: contiguous, channels_last, or best (each network's faster one)"
    p.add("--layout", None, text)
    text = "which records: compiled or eager"
    p.add("--compile", None, text, action=argparse.BooleanOptionalAction)
    text = (
        "only networks with public ImageNet weights, as they are, the lowest published error first; "
        "bases are then parts of their names (default: all)"
    )
    p.add("--weights", bool, text)
    text = (
        "images to train on, as folder:PHOTOS: planned for their number and classes, on one device; "
        "the commands that are said train on them"
    )
    p.add("--data", None, text, metavar="SOURCE")
    p.add("--recipe", None, f"of the run names; default: {RECIPE}, or what suits --data")
    p.add("--json", bool)


def cmd_plan(args: argparse.Namespace) -> int:
    """Candidates, what binds them, the ones worth a thought."""
    from fastscale import api
    from fastscale.planning.table import lines

    own = "".join(f" --arch {shlex.quote(text)}" for text in args.own)
    data, by_size = args.data, args.data is not None and args.recipe is None
    if args.recipe is not None:  # or the run names printed would be refused by fit
        from fastscale.training.recipe import load_recipe

        load_recipe(args.recipe)
    hint = _suit(args) if args.data is not None else ""
    if args.weights and args.data is None and args.recipe is None:
        data, args.recipe = "folder:PHOTOS", FINE_TUNING
    if args.strategies == ["family"]:
        args.strategies = "family"
    args.bases = args.bases or args.own_names or None
    if args.bases is None and not args.weights and not any(_budgets(args)):
        raise InputError(
            "fastscale plan: give a budget (--flops 4G), a base, or --weights; "
            "see fastscale plan --help"
        )
    found = api.plan(**given(args, api.plan))
    recipe = args.recipe or RECIPE
    shown = (
        [json.dumps(found.to_dict(recipe, data, by_size))]
        if args.json
        else lines(found, recipe, own, data, by_size, hint)
    )
    print("\n".join(shown))
    return 0


def _budgets(args: argparse.Namespace) -> Iterator[float | None]:
    from fastscale.planning import BUDGETS

    return (getattr(args, name) for name in BUDGETS)


def _suit(args: argparse.Namespace) -> str:
    """Planned for the images of --data: as many, their classes, on one device, and by the recipe that
    `fit` would choose, unless other ones are given. What is to be said of so many images."""
    from fastscale.data.sources import source
    from fastscale.data.training_size import training_size
    from fastscale.training.by_size import recipe_for

    found = source(args.data)
    count = training_size(found)
    args.images = getattr(args, "images", count)
    args.num_classes = getattr(args, "num_classes", len(found.classes))
    args.devices = args.devices or 1
    args.recipe = args.recipe or recipe_for(count, args.weights).recipe.name
    if args.weights or count >= FEW:
        return ""
    return (
        f"{count:,} images are few: a network that starts from trained weights is more accurate "
        f"(fastscale plan --weights --data {shlex.quote(args.data)})."
    )
