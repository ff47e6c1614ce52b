"""`fastscale plan`: finds the largest networks within a budget on a device."""

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
    JSON,
    PIXELS,
    Verbs,
    given,
    real,
)
from fastscale.errors import InputError

RECIPE = "imagenet-100ep"  # of the run names
FINE_TUNING = "finetune-thousands"  # of runs that start from weights, without --data
FEW = 30_000  # images: with fewer, trained weights matter more than the network's size


def add_plan(verbs: Verbs) -> None:
    """Adds plan, whose options have the names and defaults of the parameters of
    `fastscale.plan`."""
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
    p.group_widths("paper; for the default strategies both, if the law depends on group width")
    text = "pixels a side of the base networks' images; default: their own"
    p.add("--resolution", PIXELS, text)
    p.add("--flops", COUNT, "multiply-adds for one image: 4e9, 4G or 400M")
    p.add("--params", COUNT, "weights: 25e6 or 25M")
    p.add("--acts", COUNT, "activations (acts) for one image: 20e6 or 20M")
    text = "minutes of a training epoch, on a device measured in training"
    p.add("--epoch-time-min", real(1e-6, 1e7), text)
    p.add("--memory-mib", real(1, 1e12), "training memory of one device")
    p.add("--latency-ms", real(1e-6, 1e12), "time of one batch, on a device measured at inference")
    text = "memory of one device for inference with --latency-batch images"
    p.add("--inference-memory-mib", real(1, 1e12), text)
    text = (
        "h100, v100, rtx-4090, ... (see `fastscale list devices`), a file of time records, or a "
        "name in records; repeat it to train on one and serve on another; default: h100 for epoch "
        "times"
    )
    p.add("--device", None, text, action="append")
    text = (
        "images per training step on one device, or per inference step if all budgets are of "
        "inference; default: as measured on the device"
    )
    p.add("--batch", BATCH, text)
    text = "images per inference step; default: as measured on the device, else 1"
    p.add("--latency-batch", BATCH, text)
    text = "number of GPUs that share an epoch; default: 8 for named devices, 1 for records"
    p.add("--devices", DEVICES, text)
    text = "images in an epoch; default: ImageNet's"
    p.add("--images", IMAGES, text, default=argparse.SUPPRESS)
    text = "number of classes; default: 1000"
    p.add("--classes", CLASSES, text, default=argparse.SUPPRESS, dest="num_classes")
    text = "which records to use, if they differ: 32-true, 16-mixed, bf16-mixed"
    p.add("--precision", ("32-true", "16-mixed", "bf16-mixed"), text)
    text = "which records to use: contiguous, channels_last, or best (the faster for each network)"
    p.add("--layout", ("contiguous", "channels_last", "best"), text)
    text = "which records to use: compiled or eager"
    p.add("--compile", None, text, action=argparse.BooleanOptionalAction)
    text = (
        "choose among networks with public ImageNet weights, unscaled, the lowest published error "
        "first; bases are then parts of their names; default: all"
    )
    p.add("--weights", bool, text)
    text = (
        "images to train on, such as folder:PHOTOS: plans for their number and classes on one "
        "device, and prints commands that train on them"
    )
    p.add("--data", None, text, metavar="SOURCE")
    p.add("--recipe", None, f"recipe of the run names; default: {RECIPE}, or what suits --data")
    p.add("--json", bool, JSON)


def cmd_plan(args: argparse.Namespace) -> int:
    """Prints the candidates and how to train them."""
    from fastscale import api
    from fastscale.planning.table import lines

    own = "".join(f" --arch {shlex.quote(text)}" for text in args.own)
    for option in ("precision", "layout", "compile"):
        if getattr(args, option) is not None and args.device is None:
            raise InputError(f"--{option} chooses among the records of a device: give --device too")
    data, by_size = args.data, args.data is not None and args.recipe is None
    if args.recipe is not None:  # fit would refuse run names with an unknown recipe
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
    """Sets what was not given from the images of --data; returns a hint about their number.

    Sets the number of images and classes, one device, and the recipe that `fit` would choose.
    """
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
