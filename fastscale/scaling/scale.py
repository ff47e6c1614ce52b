"""`scale`: grows a base network by a strategy, with the authors' rounding."""

import math
from functools import lru_cache
from typing import Any

from fastscale.archs import Arch, base_arch, definition, from_definition
from fastscale.archs.names import NetworkName
from fastscale.archs.registry import is_own
from fastscale.errors import InputError
from fastscale.scaling.strategy import Strategy, is_own_strategy


def round_width(width: float) -> int:
    """Nearest multiple of 8, at least 8."""
    return max(1, round(width / 8)) * 8


def round_group_width(g: float) -> int:
    """Whole and at least 1; 1 and 2 stay, 3 to 5 become 4, others the nearest multiple of 8."""
    g = max(1, round(g))
    return g if g <= 2 else 4 if g <= 5 else round(g / 8) * 8


def power_of_two_group_width(g: float) -> int:
    """Nearest power of two in log scale, from 1 to 64.

    cuDNN has fast kernels for 8, 16, 32 and 64 channels per group; 1, 2 and 4 are as in the
    authors' rule.

    >>> [power_of_two_group_width(g) for g in (1.2, 5.3, 7, 24, 40, 48, 56, 72, 112)]
    [1, 4, 8, 32, 32, 64, 64, 64, 64]
    """
    return 2 ** min(max(0, math.floor(math.log2(g) + 0.5 + 1e-9)), 6)  # a tie goes to the larger


_GROUP_WIDTH = {"paper": round_group_width, "power_of_two": power_of_two_group_width}


def round_resolution(resolution: float) -> int:
    """Nearest multiple of 4 pixels."""
    return round(resolution / 4) * 4


def scale(
    base: Arch,
    strategy: str | Strategy,
    factor: float,
    group_width_rounding: str | None = None,
) -> Arch:
    """`base` grown to about `factor` times its flops: a new arch named
    `<base>.<strategy>-x<factor>`.

    Depths are `max(1, round(d * f_d))`. Widths and group widths are rounded by the functions above
    and made compatible. Train and test resolution grow by the same multiplier. RegNets keep the
    widths of stem and head, EfficientNets scale both. Like the authors' code, this uses Python's
    `round` (half to even).

    `group_width_rounding`: "paper", or "power_of_two" for group widths of 1 to 64; default: as the
    strategy says, which is the paper's unless its name ends in "-pow2".

    InputError for an unknown strategy, a factor that is not finite and above 0, a network that
    cannot exist, and a rounding of group widths for a base that has none.
    """
    strategy = Strategy.parse(strategy).rounded(group_width_rounding)
    if strategy.group_width_rounding != "paper" and not base.grouped:
        raise InputError(
            f"{base.name} has no group widths: scale it by {strategy.rounded('paper').name!r}"
        )
    round_group = _GROUP_WIDTH[strategy.group_width_rounding]
    f_d, f_w, f_r, f_g = strategy.multipliers(factor)
    grown = base.resized(
        width=lambda w: round_width(w * f_w),
        group_width=lambda g: round_group(g * f_g),
        name=str(NetworkName(base.name, strategy.spelling, factor)),
        depths=tuple(max(1, round(d * f_d)) for d in base.depths),
        resolution=round_resolution(base.resolution * f_r),
        test_resolution=round_resolution(base.test_resolution * f_r),
    )
    if strategy.group_width_rounding == "paper":
        return grown
    # a stage narrower than its group width took its width as group width: not always a power of two
    return grown.resized(width=int, group_width=lambda g: 2 ** (int(g).bit_length() - 1))


def arch_named(name: str | NetworkName) -> Arch:
    """The network of that name, `regnety-4gf` or `regnety-4gf.dWr-x4`. InputError for any other."""
    name = name if isinstance(name, NetworkName) else NetworkName.parse(name)
    base = base_arch(name.base)
    if name.strategy is None:
        return base
    try:
        return _grown(base, Strategy.parse(name.strategy), name.factor)
    except TypeError:  # a user's base may hold a list, which has no hash
        return scale(base, name.strategy, name.factor)


@lru_cache(maxsize=4096)
def _grown(base: Arch, strategy: Strategy, factor: float) -> Arch:
    """`scale`, cached: figures, lists and plans name the same few networks again and again."""
    return scale(base, strategy, factor)


def network_of(name: str, defined: dict[str, Any] | None, where: str = "its definition") -> Arch:
    """The network of a record or checkpoint, by its definition or, without one, by its name.

    InputError, beginning with `where`, if the definition is of a network of another name.
    """
    if defined is None:
        return arch_named(name)
    arch = from_definition(defined, where)
    if arch.name != name:
        raise InputError(f"{where}: is of {arch.name!r}, not of {name!r:.80}")
    return arch


def own_definition(arch: Arch) -> dict[str, Any] | None:
    """The definition that records and checkpoints of a network must carry; None if everybody can
    make the network from its name."""
    try:
        name = NetworkName.parse(arch.name)
        known = not is_own(name.base) and not is_own_strategy(name.strategy)
        if known and arch_named(name) == arch:
            return None
    except InputError:
        pass
    return definition(arch)
