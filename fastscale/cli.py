"""The `fastscale` command: one function a verb, each thin. Unusable input is one line on stderr and exit code 2."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fastscale import api
from fastscale.counts import Complexity
from fastscale.errors import InputError
from fastscale.scaling import Strategy


class Parser(argparse.ArgumentParser):
    """argparse, with errors in one line and examples kept as written."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")


def cmd_list(args: argparse.Namespace) -> int:
    """All base networks with their counts."""
    print(f"{'name':22}{'resolution':>10}{'flops (multiply-adds)':>24}{'params':>14}{'acts':>14}")
    for name in api.list_archs():
        if args.pattern in name:
            cx = api.complexity(name)
            print(f"{name:22}{api.arch(name).resolution:>10}{cx.flops:>24,}{cx.params:>14,}{cx.acts:>14,}")
    return 0


def cmd_info(args: argparse.Namespace) -> int:
    """One network: its stages and counts."""
    arch = api.arch(args.arch)
    resolution = arch.resolution if args.resolution is None else args.resolution
    cx = api.complexity(arch, resolution, args.classes)
    if args.json:
        print(json.dumps({"arch": vars(arch), "counted_at": resolution, "num_classes": args.classes, **vars(cx)}))
        return 0
    print(f"{arch.name}: {type(arch).__name__}")
    for field, value in vars(arch).items():
        if field != "name":
            print(f"  {field:18} {', '.join(f'{v:g}' for v in value) if isinstance(value, tuple) else value}")
    print(f"counts at {resolution} px, {args.classes} classes:")
    print_counts(cx)
    return 0


def print_counts(cx: Complexity) -> None:
    """Three lines."""
    for label, value in (("flops (multiply-adds)", cx.flops), ("params", cx.params), ("acts", cx.acts)):
        print(f"  {label:24}{value:>18,}")


def cmd_scale(args: argparse.Namespace) -> int:
    """A base grown by a strategy, by a factor or to a target, with the growth reached beside the closed form."""
    targets = {k: v for k, v in (("flops", args.flops), ("params", args.params), ("acts", args.acts)) if v is not None}
    if (args.factor is None) == (not targets):
        raise InputError("fastscale scale: give a factor, or one target: --flops, --params or --acts")
    base, strategy = api.arch(args.base), Strategy.parse(args.strategy)
    if targets:
        factor, arch = api.scale_to(base, strategy, **targets)
    else:
        factor, arch = args.factor, api.scale(base, strategy, args.factor)
    before, after = api.complexity(base), api.complexity(arch)
    if args.json:
        print(json.dumps({"factor": factor, "arch": vars(arch), **vars(after)}))
        return 0
    print(f"{arch.name}: depths {arch.depths}, widths {arch.widths}, resolution {arch.resolution}")
    if targets:
        ((metric, wanted),) = targets.items()
        reached = getattr(after, metric)
        print(f"factor {factor:g} meets {metric} = {wanted:,.0f} with {reached:,} ({100 * (reached / wanted - 1):+.2f} %)")
    exponents = strategy.exponents()
    print(f"{'':24}{'base':>18}{'scaled':>18}{'growth':>10}{'closed form':>14}")
    for metric in ("flops", "params", "acts"):
        old, new = getattr(before, metric), getattr(after, metric)
        label = "flops (multiply-adds)" if metric == "flops" else metric
        print(f"{label:24}{old:>18,}{new:>18,}{new / old:>10.3f}{factor ** float(getattr(exponents, metric)):>14.3f}")
    return 0


def cmd_data_write(args: argparse.Namespace) -> int:
    """A source into train.beton and val.beton."""
    from fastscale.data.write import BrokenImages, write

    if args.limit is not None and not (args.out or args.data_dir):
        raise InputError("--limit writes a trial set, which must not pass for the whole: give it a place of its own with --data-dir DIR")
    try:
        infos = write(
            args.source,
            args.out,
            max_resolution=args.max_resolution,
            jpeg_quality=args.jpeg_quality,
            raw_share=args.raw_share,
            workers=args.workers,
            skip_broken=args.skip_broken,
            limit=args.limit,
            data_dir=args.data_dir,
        )
    except BrokenImages as error:
        print(error, file=sys.stderr)
        return 1
    for split, info in infos.items():
        print(f"{split}: {info.count} images in {len(info.classes)} classes, sha256 of the list of file hashes {info.list_digest}")
    return 0


def cmd_fit(args: argparse.Namespace, rest: list[str]) -> int:
    """Trains a run, or takes it up again."""
    from fastscale.training.fit import fit, speaks

    record = fit(args.run, rest, args.runs_dir, args.restart)
    shown = ", ".join(f"{k} {v:.2f} %" for k, v in record.values.items() if "error" in k)
    if speaks():
        print(f"{record.run}, seed {record.seed}: {shown}")
    return 0


def cmd_evaluate(args: argparse.Namespace, rest: list[str]) -> int:
    """Errors of a checkpoint."""
    from fastscale.training.evaluate import evaluate
    from fastscale.training.fit import speaks

    for name, value in evaluate(args.checkpoint, args.data, rest).items():
        if speaks():
            print(f"{name:16}{value:10.4f} %")
    return 0


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


def cmd_reproduce(args: argparse.Namespace) -> int:
    """Tables and figures, with the runs they need."""
    from fastscale.reproduce import reproduce

    return reproduce(args.artifact or ["quick"], args.tier, Path(args.runs_dir), args.dry_run, args.jobs)


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="fastscale", description="Fast and Accurate Model Scaling (CVPR 2021): networks, counts, training, tables and figures."
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)

    def verb(name: str, run, text: str, example: str, **kwargs) -> Parser:
        p = verbs.add_parser(name, help=text, description=text, epilog=f"example:\n  {example}", **kwargs)
        p.set_defaults(run_verb=run)
        return p

    p = verb("list", cmd_list, "List the base networks with their counts.", "fastscale list regnetz")
    p.add_argument("pattern", nargs="?", default="", help="only names that contain this")

    p = verb("info", cmd_info, "Show one network, base or scaled: stages, resolution, exact counts.", "fastscale info regnety-4gf.dWr-x4")
    p.add_argument("arch")
    p.add_argument("--resolution", type=int, help="pixels; the network's own unless given")
    p.add_argument("--classes", type=int, default=1000)
    p.add_argument("--json", action="store_true")

    p = verb("scale", cmd_scale, "Scale a base network by a factor, or to a target.", "fastscale scale regnetz-500mf dWr --flops 4e9")
    p.add_argument("base")
    p.add_argument("strategy", help="d w r dw wr dr dwr dWr, dwgr, wg, d1_w8_g8_r1, alpha=0.8, ...")
    p.add_argument("factor", type=float, nargs="?")
    for metric in ("flops", "params", "acts"):
        p.add_argument(f"--{metric}", type=float, help=f"target {metric}{' (multiply-adds)' if metric == 'flops' else ''}")
    p.add_argument("--json", action="store_true")

    data = verbs.add_parser("data", help="Prepare images.", description="Prepare images.").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    text = "Fetch a data set and write it as train.beton and val.beton for FFCV."
    p = data.add_parser("write", help=text, description=text, epilog="example:\n  fastscale data write fashion-mnist")
    p.set_defaults(run_verb=cmd_data_write)
    p.add_argument("source", help="fashion-mnist, cifar10, imagenette, imagenet, or a folder or archive of train|val/<class>/*")
    p.add_argument("--out", help="folder; the one where `fit` looks unless given")
    p.add_argument("--data-dir", help="where data is kept; $FASTSCALE_DATA or ~/.cache/fastscale unless given")
    p.add_argument("--max-resolution", type=int, help="longest side stored, in pixels")
    p.add_argument("--jpeg-quality", type=int, default=90)
    p.add_argument("--raw-share", type=float, default=0.0, help="share of images stored as raw pixels, 0 to 1")
    p.add_argument("--workers", type=int)
    p.add_argument("--skip-broken", action="store_true", help="leave broken images out instead of failing")
    p.add_argument("--limit", type=int, help="only so many images of each split, for a trial")

    options = "--model.recipe.lr 1.0, --data.loader plain, --trainer.devices 8, --seed_everything 1, --config FILE"
    lightning = f"\n\nFurther options are Lightning's: {options}."
    p = verb(
        "fit",
        cmd_fit,
        "Train a network; an interrupted run is taken up from its last checkpoint.",
        "fastscale fit --run regnety-500mf.dWr-x4.imagenet-100ep --trainer.devices 8" + lightning,
    )
    p.add_argument("--run", metavar="NAME", help="<base>[.<strategy>-x<factor>].<recipe>")
    p.add_argument("--runs_dir", default=runs_dir())
    p.add_argument("--restart", action="store_true", help="throw away what this run has so far")

    p = verb(
        "evaluate",
        cmd_evaluate,
        "Errors of a checkpoint on a validation set.",
        "fastscale evaluate runs/regnety-tiny.dWr-x4.quick/seed0 --data fashion-mnist" + lightning,
    )
    p.add_argument("checkpoint", help="a .ckpt file or a run's folder")
    p.add_argument("--data", metavar="SOURCE", help="what it was trained on unless given")

    p = verb(
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

    p = verb(
        "reproduce", cmd_reproduce, "Make tables and figures, training and timing what is missing.", "fastscale reproduce quick --dry-run"
    )
    p.add_argument("artifact", nargs="*", help="from configs/artifacts; quick unless given")
    p.add_argument("--tier", choices=("smoke", "quick", "full"), default="quick")
    p.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    p.add_argument("--jobs", type=int, help="runs side by side")
    p.add_argument("--runs_dir", default=runs_dir())
    return top


def runs_dir() -> str:
    """Where runs are kept."""
    return os.environ.get("FASTSCALE_RUNS", "runs")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    top = parser()
    try:
        args, rest = top.parse_known_args(argv)
        if args.run_verb in (cmd_fit, cmd_evaluate):
            return args.run_verb(args, rest)
        if rest:
            top.error(f"unrecognised: {' '.join(rest)}")
        return args.run_verb(args)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `fastscale list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command takes up where this one stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
