"""`fastscale list | info | scale`: networks, their counts, and how they grow."""

import argparse
import json

from fastscale import api
from fastscale.archs.registry import nearest
from fastscale.counts import Complexity
from fastscale.errors import InputError
from fastscale.scaling import Strategy, factor_text
from fastscale.verbs.parsing import (
    MOST_CLASSES,
    MOST_COUNT,
    MOST_DEVICES,
    MOST_PIXELS,
    Verbs,
    real,
    whole,
)


def add(verbs: Verbs) -> None:
    """list, info, scale."""
    text = "List the base networks with their counts, or the paper's runs with counts and predicted cost."
    p = verbs.verb(
        "list",
        cmd_list,
        text,
        "fastscale list regnetz\n  fastscale list runs imagenet-100ep --device v100",
    )
    p.add_argument(
        "pattern", nargs="*", help="only names that contain this; `runs` first: runs, not networks"
    )
    p.add_argument("--device", help="runs: whose times are predicted; this machine's unless given")
    p.add_argument(
        "--devices",
        type=whole(1, MOST_DEVICES),
        default=8,
        help="runs: how many devices share a run (8, as in the paper)",
    )

    p = verbs.verb(
        "info",
        cmd_info,
        "Show one network, base or scaled: stages, resolution, exact counts.",
        "fastscale info regnety-4gf.dWr-x4",
    )
    p.add_argument("arch")
    p.add_argument(
        "--resolution", type=whole(1, MOST_PIXELS), help="pixels; default: the network's own"
    )
    p.add_argument("--classes", type=whole(1, MOST_CLASSES), default=1000)
    p.add_argument("--json", action="store_true")

    p = verbs.verb(
        "scale",
        cmd_scale,
        "Scale a base network by a factor, or to a target.",
        "fastscale scale regnetz-500mf dWr --flops 4e9",
    )
    p.add_argument("base")
    p.add_argument("strategy", help="d w r dw wr dr dwr dWr, dwgr, wg, d1_w8_g8_r1, alpha=0.8, ...")
    p.add_argument("factor", type=real(1e-6, 1e6), nargs="?")
    for metric in ("flops", "params", "acts"):
        p.add_argument(
            f"--{metric}",
            type=real(1, MOST_COUNT),
            help=f"target {metric}{' (multiply-adds)' if metric == 'flops' else ''}",
        )
    p.add_argument("--json", action="store_true")


def cmd_list(args: argparse.Namespace) -> int:
    """All base networks with their counts, or all runs of the paper."""
    what, *others = (
        [*args.pattern, ""] if args.pattern[:1] == ["runs"] else ["networks", *args.pattern, ""]
    )
    if len(others) > 2:
        raise InputError(
            f"fastscale list: one part of a name at a time, got {' '.join(args.pattern)}"
        )
    if what == "runs":
        from fastscale.reproduce.listing import list_runs

        print("\n".join(list_runs(others[0], args.device, args.devices)))
        return 0
    names = [name for name in api.list_archs() if others[0] in name]
    if not names:
        known = nearest(others[0], api.list_archs())
        raise InputError(
            f"no base network has {others[0]!r} in its name; there are, nearest first: {known}"
        )
    print(f"{'name':22}{'resolution':>10}{'flops (multiply-adds)':>24}{'params':>14}{'acts':>14}")
    for name in names:
        cx = api.complexity(name)
        print(
            f"{name:22}{api.arch(name).resolution:>10}{cx.flops:>24,}{cx.params:>14,}{cx.acts:>14,}"
        )
    return 0


def cmd_info(args: argparse.Namespace) -> int:
    """One network: its stages and counts."""
    arch = api.arch(args.arch)
    resolution = arch.resolution if args.resolution is None else args.resolution
    cx = api.complexity(arch, resolution, args.classes)
    if args.json:
        print(
            json.dumps(
                {
                    "arch": vars(arch),
                    "counted_at": resolution,
                    "num_classes": args.classes,
                    **vars(cx),
                }
            )
        )
        return 0
    print(f"{arch.name}: {type(arch).__name__}")
    for field, value in vars(arch).items():
        if field != "name":
            print(
                f"  {field:18} {', '.join(f'{v:g}' for v in value) if isinstance(value, tuple) else value}"
            )
    print(f"counts at {resolution} px, {args.classes} classes:")
    print_counts(cx)
    return 0


def print_counts(cx: Complexity) -> None:
    """Three lines."""
    for label, value in (
        ("flops (multiply-adds)", cx.flops),
        ("params", cx.params),
        ("acts", cx.acts),
    ):
        print(f"  {label:24}{value:>18,}")


def cmd_scale(args: argparse.Namespace) -> int:
    """A base grown by a strategy, by a factor or to a target, with the growth reached beside the closed form."""
    targets = {
        k: v
        for k, v in (("flops", args.flops), ("params", args.params), ("acts", args.acts))
        if v is not None
    }
    if (args.factor is None) == (not targets):
        raise InputError(
            "fastscale scale: give a factor, or one target: --flops, --params or --acts"
        )
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
        print(
            f"factor {factor_text(factor)} meets {metric} = {wanted:,.0f} with {reached:,} ({100 * (reached / wanted - 1):+.2f} %)"
        )
    exponents = strategy.exponents()
    print(f"{'':24}{'base':>18}{'scaled':>18}{'growth':>10}{'closed form':>14}")
    for metric in ("flops", "params", "acts"):
        old, new = getattr(before, metric), getattr(after, metric)
        label = "flops (multiply-adds)" if metric == "flops" else metric
        print(
            f"{label:24}{old:>18,}{new:>18,}{new / old:>10.3f}{factor ** float(getattr(exponents, metric)):>14.3f}"
        )
    return 0
