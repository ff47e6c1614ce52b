"""`fastscale info | scale`: shows networks with their counts, and scales them."""

import argparse
import json
from typing import TYPE_CHECKING

from fastscale.cli.options import CLASSES, COUNT, JSON, PIXELS, Verbs, real
from fastscale.errors import InputError

if TYPE_CHECKING:
    from fastscale.archs import Arch
    from fastscale.counts import Complexity
    from fastscale.scaling import Strategy

METRICS = {"flops": "flops (multiply-adds)", "params": "params", "acts": "acts"}


def add_info(verbs: Verbs) -> None:
    p = verbs.verb("info", cmd_info, "fastscale info regnety-4gf.dWr-x4")
    p.add("arch", None, "a base, or a scaled network: <base>.<strategy>-x<factor>", nargs="?")
    p.own_archs()
    p.add("--resolution", PIXELS, "pixels; default: the network's own")
    p.add("--classes", CLASSES, "number of classes; default: 1000", default=1000)
    p.add("--json", bool, JSON)


def add_scale(verbs: Verbs) -> None:
    p = verbs.verb("scale", cmd_scale, "fastscale scale regnetz-500mf dWr --flops 4e9")
    p.add("base", None, "the network to scale (see `fastscale list`)")
    p.own_archs()
    p.add("strategy", None, "d w r dw wr dr dwr dWr, dwgr, wg, d1_w8_g8_r1, alpha=0.8, ...")
    text = "how many times the flops, roughly; or give a target in its place"
    p.add("factor", real(1e-4, 1e5), text, nargs="?")
    p.group_widths("as the strategy says")
    for metric, label in METRICS.items():
        p.add(f"--{metric}", COUNT, f"target {label}")
    p.add("--json", bool, JSON)


def cmd_info(args: argparse.Namespace) -> int:
    """Prints the stages and counts of a network."""
    from fastscale import api

    name = args.arch or next(iter(args.own_names), None)
    if name is None:
        raise InputError(
            "fastscale info: required: arch (`fastscale list` names them), or --arch FILE"
        )
    arch = api.arch(name)
    resolution = arch.resolution if args.resolution is None else args.resolution
    cx = api.complexity(arch, resolution, args.classes)
    if args.json:
        about = {"arch": vars(arch), "counted_at": resolution, "num_classes": args.classes}
        print(json.dumps({**about, **vars(cx)}))
        return 0
    print(f"{arch.name}: {type(arch).__name__}")
    for field, value in vars(arch).items():
        if field != "name":
            shown = ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value
            print(f"  {field:18} {shown}")
    print(f"counts at {resolution} px, {args.classes} classes:")
    print_counts(cx)
    return 0


def print_counts(cx: "Complexity") -> None:
    """Prints one line per count."""
    for metric, label in METRICS.items():
        print(f"  {label:24}{getattr(cx, metric):>18,}")


def cmd_scale(args: argparse.Namespace) -> int:
    """Scales a base by a factor or to a target, and compares the growth with the closed form."""
    from fastscale import api
    from fastscale.archs.names import factor_text
    from fastscale.scaling import Strategy

    targets = {k: v for k in METRICS if (v := getattr(args, k)) is not None}
    if len(targets) + (args.factor is not None) != 1:
        raise InputError(
            "fastscale scale: give a factor, or one target: --flops, --params or --acts"
        )
    base = api.arch(args.base)
    strategy = Strategy.parse(args.strategy).rounded(args.group_width_rounding)
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
            f"factor {factor_text(factor)} meets {metric} = {wanted:,.0f} with {reached:,} "
            f"({100 * (reached / wanted - 1):+.2f} %)"
        )
    exponents = strategy.exponents()
    print(f"{'':24}{'base':>18}{'scaled':>18}{'growth':>10}{'closed form':>14}")
    for metric, label in METRICS.items():
        old, new = getattr(before, metric), getattr(after, metric)
        expected = factor ** float(getattr(exponents, metric))
        print(f"{label:24}{old:>18,}{new:>18,}{new / old:>10.3f}{expected:>14.3f}")
    if strategy.group_width_rounding != "paper":
        print(_beside(base, strategy, factor, arch))
    return 0


def _beside(base: "Arch", strategy: "Strategy", factor: float, arch: "Arch") -> str:
    """Compares a network with power-of-two group widths with the one by the paper's rounding."""
    from fastscale import api
    from fastscale.scaling import twin

    paper = api.scale(base, strategy, factor, "paper")
    old, new = vars(api.complexity(paper)), vars(api.complexity(arch))
    changes = ", ".join(f"{name} {new[name] / old[name] - 1:+.1%}" for name in new)
    widths = [", ".join(map(str, dict.fromkeys(a.group_widths))) for a in (paper, arch)]
    line = f"compared with {paper.name}: group widths {widths[0]} -> {widths[1]}; {changes}"
    try:
        equal = twin(base, strategy, factor).arch.name
    except InputError as error:
        return f"{line}; {error}"
    return line if equal == arch.name else f"{line}; at equal flops (within 3 %): {equal}"
