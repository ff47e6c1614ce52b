"""`fastscale plan`: the largest networks that fit a budget, on a device."""

import argparse
import json
import shlex

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


def add_plan(verbs: Verbs) -> None:
    """plan. Options bear the names of `fastscale.plan`'s parameters, whose defaults hold."""
    example = "fastscale plan regnety-500mf regnetz-500mf --epoch-time-min 10"
    p = verbs.verb("plan", cmd_plan, example)
    p.add("bases", None, "networks to scale", nargs="*", metavar="base")
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
    p.add("--recipe", None, "of the run names", default=RECIPE)
    p.add("--json", bool)


def cmd_plan(args: argparse.Namespace) -> int:
    """Candidates, what binds them, the ones worth a thought."""
    from fastscale import api
    from fastscale.planning.table import lines

    own = "".join(f" --arch {shlex.quote(text)}" for text in args.own)
    if args.recipe != RECIPE:  # or the run names printed would be refused by fit
        from fastscale.training.recipe import load_recipe

        load_recipe(args.recipe)
    if args.strategies == ["family"]:
        args.strategies = "family"
    args.bases = args.bases or args.own_names
    if not args.bases and not args.weights:
        raise InputError(
            "fastscale plan: required: base, or --arch FILE; see fastscale plan --help"
        )
    found = api.plan(**given(args, api.plan))
    shown = (
        [json.dumps(found.to_dict(args.recipe))] if args.json else lines(found, args.recipe, own)
    )
    print("\n".join(shown))
    return 0
