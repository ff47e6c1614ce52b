"""`fastscale time`: measures step, inference, loader and epoch times, or sweeps over a grid."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastscale.cli.options import (
    BATCH,
    CLASSES,
    DEVICES,
    IMAGES,
    MINUTES,
    RUNS_DIR,
    Verbs,
    real,
    whole,
)
from fastscale.cli.signals import ended_by_signals
from fastscale.errors import InputError
from fastscale.home import home

if TYPE_CHECKING:
    from fastscale.records import Record

EXAMPLE = """fastscale time regnety-tiny regnety-tiny.dWr-x4 --recipe quick --data fashion-mnist
  fastscale time regnety-4gf --what train,inference --layout contiguous,channels_last
  fastscale time regnety-tiny --recipe quick --loader fashion-mnist  # loader, model and both
  fastscale time --grid cpu --budget 20  # interrupted? rerun the command to resume
  fastscale time --here                  # what `fastscale plan` needs of this device: 5 minutes"""
HERE_MIN = 5.0  # minutes
# options without effect on a loader's time, then those that a grid sets
STEP_DEFAULTS: dict[str, Any] = {
    **{"data": "imagenet", "images": None, "classes": None},
    **{"inference_batch": None, "devices": 1},
}
GRID_DEFAULTS: dict[str, Any] = {
    **{"what": "train", "recipe": "imagenet-100ep", "precision": None, "layout": None},
    **{"compile": None, "batch": None, **STEP_DEFAULTS, "rounds": 5, "round_s": 0.5},
    **{"cudnn": "heuristics"},
}


def add_time(verbs: Verbs) -> None:
    p = verbs.verb("time", cmd_time, EXAMPLE)
    text = "networks, measured interleaved; with --separate, one after another"
    p.add("arch", None, text, nargs="*")
    p.own_archs()
    p.add("--grid", None, "a grid of configs/timing or a YAML file, in place of networks")
    text = "a sweep of 5 minutes to which a runtime law of this device can be fitted"
    p.add("--here", bool, text)
    text = "end a sweep after MINUTES; it covers the grid evenly"
    p.add("--budget", MINUTES, text, metavar="MINUTES")
    p.add("--separate", bool, "sweep over the networks named here")
    p.add("--what", None, "train, inference, or both as train,inference; default: train")
    p.add("--recipe", None, "precision, layout, batch and optimizer; default: imagenet-100ep")
    text = "32-true, 16-mixed, bf16-mixed, or several with commas; default: the recipe's"
    p.add("--precision", None, text)
    text = "contiguous, channels_last, or both with a comma; default: the recipe's"
    p.add("--layout", None, text)
    p.add("--compile", None, "off, on, or both as off,on; default: the recipe's")
    p.add("--data", None, "data set of the epoch; default: imagenet")
    p.add("--images", IMAGES, "images in an epoch; default: those of --data")
    p.add("--classes", CLASSES, "number of classes; default: those of --data")
    text = "images per step, halved until they fit in memory; default: the recipe's"
    p.add("--batch", BATCH, text)
    p.add("--inference-batch", BATCH, "images per inference step; default: --batch")
    text = "also report the epoch time divided by this many devices (in the paper: 8)"
    p.add("--devices", DEVICES, text)
    text = "time the loader of this data set, alone and end to end"
    p.add("--loader", None, text, metavar="SOURCE")
    p.add("--device", None, "cpu, cuda or auto; default: auto", default="auto")
    text = "how cuDNN chooses kernels; search takes seconds per network; default: heuristics"
    p.add("--cudnn", ("heuristics", "search"), text)
    p.add("--rounds", whole(1, 10_000), "default: 5; steady device times take fewer")
    p.add("--round-s", real(1e-3, 3600), "seconds per round, roughly; default: 0.5")
    p.add("--runs-dir", Path, RUNS_DIR, default=home().runs)
    p.set_defaults(**GRID_DEFAULTS)


def cmd_time(args: argparse.Namespace) -> int:
    """Measures times and writes them as records."""
    args.arch = args.arch or args.own_names
    if bool(args.arch) + bool(args.grid) + args.here != 1:
        raise InputError(
            "fastscale time: give networks, or --grid, or --here; "
            "fastscale time --help shows examples"
        )
    if args.grid or args.here or args.separate:
        with ended_by_signals("finished measurements are recorded; the same command resumes"):
            return sweep(args)
    if args.budget is not None:
        raise InputError("--budget is for a sweep: give --grid, or --separate with the networks")
    with ended_by_signals("the same command measures what is not in the records yet"):
        return loaders(args) if args.loader else interleaved(args)


def refuse(args: argparse.Namespace, options: dict[str, Any], why: str) -> None:
    """InputError for the first of these options without its default value: it would be ignored."""
    for name, default in options.items():
        if getattr(args, name) != default:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)}: {why}")


def networks_of(args: argparse.Namespace) -> list[Any]:
    """The networks named on the command line, each once."""
    from fastscale import api

    return [*dict.fromkeys(api.arch(name) for name in args.arch)]


def settings_of(args: argparse.Namespace) -> tuple:
    """Every combination of the settings on the command line; the others are the recipe's."""
    from fastscale.timing.grid import make_settings
    from fastscale.training.layout import resolve_layout
    from fastscale.training.recipe import load_recipe

    recipe, words = load_recipe(args.recipe), {"off": False, "on": True}
    switches = (args.compile or ("on" if recipe.compile else "off")).split(",")
    if any(s not in words for s in switches):
        raise InputError(f"--compile {args.compile}: give off, on, or off,on")
    layouts = (args.layout or resolve_layout(recipe.layout)).split(",")
    batch = recipe.batch_size if args.batch is None else args.batch
    return make_settings(
        args.what.split(","),
        (args.precision or recipe.precision).split(","),
        layouts,
        [words[s] for s in switches],
        batch,
        batch if args.inference_batch is None else args.inference_batch,
        "fastscale time",
    )


def measured_as(args: argparse.Namespace, setting: Any) -> Any:
    """The recipe with this setting."""
    from fastscale.training.recipe import load_recipe

    chosen = {name: getattr(setting, name) for name in ("precision", "layout", "compile")}
    return replace(load_recipe(args.recipe), **chosen)


def interleaved(args: argparse.Namespace) -> int:
    """Measures the networks interleaved in one process, for every setting."""
    from fastscale.data.sizes import epoch_of
    from fastscale.records import RecordStore
    from fastscale.timing.drift import drifted
    from fastscale.timing.epoch import time_epochs
    from fastscale.timing.interleaved import COMPILED_ALONE

    store, networks = RecordStore(args.runs_dir / "records.jsonl"), networks_of(args)
    settings = settings_of(args)
    if len(networks) > 1 and any(setting.compile for setting in settings):
        raise InputError(COMPILED_ALONE)
    store.check()
    images, classes = epoch_of(args.data, args.images, args.classes)
    sizes = {"images": images, "num_classes": classes, "devices": args.devices}
    rounds = {"rounds": args.rounds, "round_s": args.round_s, "progress": progress}
    rounds["cudnn"] = args.cudnn
    for s in settings:
        own = {"batch": s.batch, "what": s.what, "device": args.device, **sizes, **rounds}
        records = time_epochs(networks, measured_as(args, s), data=args.data, **own)
        show(records)
        for r in records:
            store.append(r)
        if warning := drifted(records[0].env["drift"]):
            print(warning, file=sys.stderr)
    return 0


def loaders(args: argparse.Namespace) -> int:
    """Measures loader, model and both together for each network."""
    from fastscale.records import RecordStore
    from fastscale.timing.loader import time_loader

    refuse(args, STEP_DEFAULTS, "has no effect on the loader's time: leave it out")
    store, seconds = RecordStore(args.runs_dir / "records.jsonl"), args.rounds * args.round_s
    store.check()
    print(f"{'network':32}{'loader, images/s':>18}{'model':>10}{'end to end':>12}{'waiting':>10}")
    for network in networks_of(args):
        for s in settings_of(args):
            if s.what != "train":
                raise InputError("--loader is for training: leave --what out")
            own = {"batch": s.batch, "device": args.device, "seconds": seconds}
            record = time_loader(network, measured_as(args, s), args.loader, **own)
            v = record.values
            print(
                f"{record.arch:32}{v['loader_images_per_s']:>18.0f}{v['images_per_s']:>10.0f}"
                f"{v['end_to_end_images_per_s']:>12.0f}{v['data_wait_share']:>10.1%}",
                flush=True,
            )
            store.append(record)
    return 0


def sweep(args: argparse.Namespace) -> int:
    """Measures a grid, one network after another."""
    from fastscale.timing.device import usable_device
    from fastscale.timing.drift import drifted
    from fastscale.timing.grid import load_grid
    from fastscale.timing.sweep import Sweep

    if args.here:
        args.grid = "cpu" if usable_device(args.device) == "cpu" else "here"
        args.budget = HERE_MIN if args.budget is None else args.budget
    if args.loader:
        raise InputError("--loader is measured interleaved: leave --grid and --separate out")
    if args.devices != 1:
        raise InputError(
            "--devices is for networks measured interleaved: a sweep records times of one device"
        )
    if args.grid:
        why = "the grid sets that: leave it out, or give your own grid file"
        refuse(args, GRID_DEFAULTS, why)
    grid = load_grid(args.grid) if args.grid else typed_grid(args)
    store = args.runs_dir / "records.jsonl"
    done = Sweep(
        grid, store, args.device, args.budget, lambda line: print(line, flush=True), args.own
    ).run()
    print(
        f"{len(done.measured)} measured, {done.before} measured before, {done.left} left, "
        f"{len(done.failed)} failed; drift of the reference {done.drift:.2f}; "
        f"{done.took_s:.0f} s, {done.rounds_s:.0f} of them in measured rounds"
    )
    if warning := drifted(done.drift):
        print(warning, file=sys.stderr)
    if args.here and (done.measured or done.before):
        from fastscale.planning.known import answer
        from fastscale.records import RecordStore

        try:
            print("\n".join(answer(RecordStore(store).read(), str(store))))
        except InputError as error:  # too few measurements: the budget was short
            more = "; the same command measures the rest" if done.left else ""
            print(f"{error}{more}")
    return 1 if done.failed and not done.measured else 0


def typed_grid(args: argparse.Namespace) -> Any:
    """The networks and settings on the command line as a grid."""
    from fastscale import api
    from fastscale.archs.names import NetworkName
    from fastscale.data.sizes import epoch_of
    from fastscale.timing.grid import Grid, Part

    networks = tuple(NetworkName.parse(network.name) for network in networks_of(args))
    settings = settings_of(args)
    # the smallest network is the reference, which is timed again and again
    smallest = min(networks_of(args), key=lambda network: api.complexity(network).acts)
    images, classes = epoch_of(args.data, args.images, args.classes)
    own = {k: getattr(args, k) for k in ("data", "recipe", "rounds", "round_s", "cudnn")}
    own |= {"images": images, "classes": classes}
    parts, reference = (Part(networks, settings),), (smallest.name, settings[0].batch)
    return Grid("typed", parts, reference, **own)


def show(records: "list[Record]") -> None:
    """Prints a table for one setting: device time, if measured, and eager time in milliseconds."""
    from fastscale.records import step_time
    from fastscale.timing.sweep import remarks

    env, first = records[0].env, step_time(records[0])
    training = first is not None and first.what == "step"
    kind, rate = ("step", "images_per_s") if training else ("pass", "inference_images_per_s")
    compiled = ", compiled" if env["compile"] else ""
    conditions = f"{env['device']}, {env['precision']}, {env['layout']}{compiled}"
    clocks = [c for c in ("device", "eager") if any(step_time(r, clock=c) for r in records)]
    head = "".join(f"{f'{clock} {kind}, ms':>18}{'spread':>9}" for clock in clocks)
    last = "epoch, min" if training else ""
    print(f"{'network':32}{head}{'images/s':>11}{last:>12}   ({conditions})")
    for r in records:
        line = f"{r.arch:32}"
        for clock in clocks:
            found = step_time(r, clock=clock)
            time, spread = (1e3 * found.seconds, 1e3 * (found.spread or 0)) if found else (0, 0)
            line += f"{time:>18.2f}{spread:>9.2f}" if found else f"{'-':>18}{'-':>9}"
        v = r.values
        more = f"{v['epoch_time_min']:>12.3f}" if training else ""
        if "epoch_time_normalised_min" in v:
            devices = r.env["normalised_to_devices"]
            more += f"   {v['epoch_time_normalised_min']:.3f} on {devices} devices"
        print(f"{line}{v[rate]:>11.0f}{more}{remarks(r)}")
    for r in records:
        if why := r.env.get("disturbed"):
            warning = f"warning: {r.arch} was measured twice and disturbed both times ({why})"
            print(f"{warning}: the record says so; measure again in quiet", file=sys.stderr)


def progress(done: int, total: int) -> None:
    """Shows a counter on a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done}/{total} measurements", end=end, file=sys.stderr, flush=True)
