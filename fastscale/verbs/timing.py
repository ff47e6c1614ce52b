"""`fastscale time`: step, inference, loader and epoch times of networks, or a campaign over a grid."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastscale import api
from fastscale.errors import InputError
from fastscale.verbs.parsing import (
    MOST_BATCH,
    MOST_CLASSES,
    MOST_DEVICES,
    MOST_IMAGES,
    MOST_MINUTES,
    Verbs,
    real,
    runs_dir,
    whole,
)
from fastscale.verbs.signals import ended_by_signals

if TYPE_CHECKING:
    from fastscale.records import Record
    from fastscale.timing.campaign import Outcome

EXAMPLE = """fastscale time regnety-tiny regnety-tiny.dWr-x4 --recipe quick --data fashion-mnist --images 60000 --classes 10
  fastscale time regnety-4gf regnety-4gf.dWr-x4 --what train,inference --precision bf16-mixed,16-mixed --layout contiguous,channels_last
  fastscale time regnety-tiny --recipe quick --loader fashion-mnist      # loader, model and both together
  fastscale time --grid cpu --budget 20                                  # interrupted, the same command takes it up again"""


def add(verbs: Verbs) -> None:
    """time."""
    p = verbs.verb(
        "time",
        cmd_time,
        "Measure step, inference and epoch time on dummy data, or a data loader.",
        EXAMPLE,
    )
    p.add_argument(
        "arch",
        nargs="*",
        help="measured in turns, all in one process; --separate: one after another, a process each",
    )
    p.add_argument("--grid", help="a grid of configs/timing or a YAML file, in place of networks")
    p.add_argument(
        "--budget",
        type=real(1e-3, MOST_MINUTES),
        metavar="MINUTES",
        help="end a campaign then, whatever is left; it covers the grid evenly",
    )
    p.add_argument(
        "--separate", action="store_true", help="a campaign over the networks named here"
    )
    p.add_argument("--what", default="train", help="train, inference, or both as train,inference")
    p.add_argument(
        "--recipe", default="imagenet-100ep", help="precision, layout, batch and optimizer"
    )
    p.add_argument(
        "--precision",
        help="in place of the recipe's: 32-true, 16-mixed, bf16-mixed, or several with commas",
    )
    p.add_argument(
        "--layout", help="in place of the recipe's: contiguous, channels_last, or both with a comma"
    )
    p.add_argument("--compile", help="in place of the recipe's: off, on, or both as off,on")
    p.add_argument("--data", default="imagenet", help="whose epoch it is")
    p.add_argument(
        "--images",
        type=whole(1, MOST_IMAGES),
        default=1_281_167,
        help="images in an epoch; default: ImageNet's",
    )
    p.add_argument("--classes", type=whole(1, MOST_CLASSES), default=1000)
    p.add_argument(
        "--batch",
        type=whole(1, MOST_BATCH),
        help="images a step; the recipe's unless given; halved where memory does not hold it",
    )
    p.add_argument(
        "--inference_batch",
        type=whole(1, MOST_BATCH),
        help="images a forward pass of inference; --batch unless given",
    )
    p.add_argument(
        "--devices",
        type=whole(1, MOST_DEVICES),
        default=1,
        help="add the epoch time divided by so many devices (the paper's: 8)",
    )
    p.add_argument(
        "--loader", metavar="SOURCE", help="time the loader of this data set, alone and end to end"
    )
    p.add_argument("--device", default="auto")
    p.add_argument("--rounds", type=whole(1, 10_000), default=5)
    p.add_argument("--round_s", type=real(1e-3, 3600), default=0.5, help="seconds a round, about")
    p.add_argument("--runs_dir", default=runs_dir())


# what a grid decides by itself, and what a loader's time does not depend on, with their values where they were not given
OF_STEPS = {
    "data": "imagenet",
    "images": 1_281_167,
    "classes": 1000,
    "inference_batch": None,
    "devices": 1,
}
OF_A_GRID = {
    "what": "train",
    "recipe": "imagenet-100ep",
    "precision": None,
    "layout": None,
    "compile": None,
    "batch": None,
    **OF_STEPS,
}
OF_A_GRID |= {"rounds": 5, "round_s": 0.5}


def refuse(args: argparse.Namespace, options: dict[str, Any], why: str) -> None:
    """InputError for the first of these options that was given another value: it would have been passed over."""
    for name, unless_given in options.items():
        if getattr(args, name) != unless_given:
            raise InputError(f"--{name} {getattr(args, name)}: {why}")


def cmd_time(args: argparse.Namespace) -> int:
    """Times, as records."""
    if bool(args.arch) == bool(args.grid):
        raise InputError(
            "fastscale time: give networks, or --grid; fastscale time --help shows examples"
        )
    if args.grid or args.separate:
        with ended_by_signals("what was measured is recorded; the same command resumes"):
            return campaign(args)
    if args.budget is not None:
        raise InputError("--budget is of a campaign: give --grid, or --separate with the networks")
    with ended_by_signals("what is not in the records yet is measured by the same command"):
        return loaders(args) if args.loader else in_turns(args)


def in_turns(args: argparse.Namespace) -> int:
    """The networks in one process, for every setting asked for."""
    from dataclasses import replace

    from fastscale.records import RecordStore
    from fastscale.timing.drift import drifted
    from fastscale.timing.epoch import time_epochs
    from fastscale.timing.turns import COMPILED_ALONE
    from fastscale.training.recipe import load_recipe

    store, recipe, networks = (
        RecordStore(Path(args.runs_dir) / "records.jsonl"),
        load_recipe(args.recipe),
        networks_of(args),
    )
    if len(networks) > 1 and any(setting.compile for setting in settings_of(args)):
        raise InputError(COMPILED_ALONE)
    store.check()
    for setting in settings_of(args):
        records = time_epochs(
            networks,
            replace(
                recipe, precision=setting.precision, layout=setting.layout, compile=setting.compile
            ),
            data=args.data,
            images=args.images,
            num_classes=args.classes,
            batch=setting.batch,
            device=args.device,
            rounds=args.rounds,
            round_s=args.round_s,
            what=setting.what,
            devices=args.devices,
            progress=progress,
        )
        show(records)
        for r in records:
            store.append(r)
        if warning := drifted(records[0].env["drift"]):
            print(warning, file=sys.stderr)
    return 0


def networks_of(args: argparse.Namespace) -> list[Any]:
    """The networks named on the command line, each once."""
    return list({name: api.arch(name) for name in args.arch}.values())


def settings_of(args: argparse.Namespace) -> tuple:
    """Every combination of what the command line names; what it does not name is the recipe's."""
    from fastscale.timing.grid import make_settings
    from fastscale.training.layout import resolve_layout
    from fastscale.training.recipe import load_recipe

    recipe = load_recipe(args.recipe)
    words = {"off": False, "on": True}
    switches = args.compile.split(",") if args.compile else ["on" if recipe.compile else "off"]
    if any(s not in words for s in switches):
        raise InputError(f"--compile {args.compile}: give off, on, or off,on")
    layouts = args.layout.split(",") if args.layout else [resolve_layout(recipe.layout)]
    if "better" in layouts:
        raise InputError(
            "--layout better: that is for grids; give contiguous, channels_last, or both with a comma"
        )
    batch = recipe.batch_size if args.batch is None else args.batch
    inference = batch if args.inference_batch is None else args.inference_batch
    precisions = args.precision.split(",") if args.precision else [recipe.precision]
    return make_settings(
        args.what.split(","),
        precisions,
        layouts,
        [words[s] for s in switches],
        batch,
        inference,
        "fastscale time",
    )


def loaders(args: argparse.Namespace) -> int:
    """Loader, model and end to end of each network."""
    from dataclasses import replace

    from fastscale.records import RecordStore
    from fastscale.timing.loader import time_loader
    from fastscale.training.recipe import load_recipe

    refuse(args, OF_STEPS, "has no part in the loader's time: leave it out")
    store, recipe = RecordStore(Path(args.runs_dir) / "records.jsonl"), load_recipe(args.recipe)
    store.check()
    print(f"{'network':32}{'loader, images/s':>18}{'model':>10}{'end to end':>12}{'waiting':>10}")
    for network in networks_of(args):
        for s in settings_of(args):
            if s.what != "train":
                raise InputError("--loader is of training: leave --what out")
            chosen = replace(recipe, precision=s.precision, layout=s.layout, compile=s.compile)
            record = time_loader(
                network,
                chosen,
                args.loader,
                batch=s.batch,
                device=args.device,
                seconds=args.rounds * args.round_s,
            )
            v = record.values
            speeds = f"{v['loader_images_per_s']:>18.0f}{v['images_per_s']:>10.0f}{v['end_to_end_images_per_s']:>12.0f}"
            print(f"{record.arch:32}{speeds}{v['data_wait_share']:>10.1%}", flush=True)
            store.append(record)
    return 0


def campaign(args: argparse.Namespace) -> int:
    """A grid, one process a network."""
    from fastscale.timing.campaign import Campaign
    from fastscale.timing.drift import drifted
    from fastscale.timing.grid import load_grid

    if args.loader:
        raise InputError("--loader is measured in turns: leave --grid and --separate out")
    if args.devices != 1:
        raise InputError(
            "--devices is for networks measured in turns: a campaign's records are of one device"
        )
    if args.grid:
        refuse(args, OF_A_GRID, "the grid says that: leave it out, or give a grid file of your own")
    grid = load_grid(args.grid) if args.grid else typed_grid(args)
    outcome = Campaign(
        grid,
        Path(args.runs_dir) / "records.jsonl",
        args.device,
        args.budget,
        lambda line: print(line, flush=True),
    ).run()
    print(summary(outcome))
    if warning := drifted(outcome.drift):
        print(warning, file=sys.stderr)
    return 1 if outcome.failed and not outcome.measured else 0


def typed_grid(args: argparse.Namespace) -> Any:
    """The networks and settings of the command line as a grid."""
    from fastscale.scaling import parse_run
    from fastscale.timing.grid import Grid, Network, Part

    names = [parse_run(network.name) for network in networks_of(args)]
    networks = tuple(Network(n.base, n.strategy, n.factor) for n in names)
    settings = settings_of(args)
    # the smallest: it is there to be timed again and again
    smallest = min(networks_of(args), key=lambda network: api.complexity(network).acts)
    sizes = {
        "images": args.images,
        "classes": args.classes,
        "rounds": args.rounds,
        "round_s": args.round_s,
    }
    reference = (smallest.name, settings[0].batch)
    return Grid(
        "typed", (Part(networks, settings),), reference, data=args.data, recipe=args.recipe, **sizes
    )


def summary(outcome: "Outcome") -> str:
    """A campaign's end in one line."""
    parts = [
        f"{len(outcome.measured)} measured",
        f"{outcome.before} measured before",
        f"{outcome.left} left",
        f"{len(outcome.failed)} failed",
    ]
    return f"{', '.join(parts)}; drift of the reference {outcome.drift:.2f}"


def show(records: "list[Record]") -> None:
    """A table of one setting."""
    env, training = records[0].env, "step_time_s" in records[0].values
    conditions = f"{env['device']}, {env['precision']}, {env['layout']}, {'compiled' if env['compile'] else 'eager'}"
    step, last = ("step, ms", "epoch, min") if training else ("inference, ms", "")
    print(f"{'network':32}{step:>14}{'spread':>9}{'images/s':>11}{last:>12}   ({conditions})")
    for r in records:
        v, kind = r.values, "step" if training else "inference"
        time, spread = 1e3 * v[f"{kind}_time_s"], 1e3 * v[f"{kind}_time_spread_s"]
        rate = v["images_per_s" if training else "inference_images_per_s"]
        epoch = f"{v['epoch_time_min']:>12.3f}" if training else ""
        if "epoch_time_normalised_min" in v:
            epoch += f"   {v['epoch_time_normalised_min']:.3f} on {r.env['normalised_to_devices']} devices"
        less = (
            f"   batch {r.env['batch']} of {r.env['batch_asked']}: no more fitted"
            if "batch_asked" in r.env
            else ""
        )
        print(f"{r.arch:32}{time:>14.2f}{spread:>9.2f}{rate:>11.0f}{epoch}{less}")
    for r in records:
        if "disturbed" in r.env:
            said = f"{r.arch} was measured twice and disturbed both times ({r.env['disturbed']})"
            print(f"warning: {said}: the record says so; measure again in quiet", file=sys.stderr)


def progress(done: int, total: int) -> None:
    """A counter, for somebody who watches."""
    if sys.stderr.isatty():
        print(
            f"\r{done}/{total} measurements",
            end="\n" if done == total else "",
            file=sys.stderr,
            flush=True,
        )
