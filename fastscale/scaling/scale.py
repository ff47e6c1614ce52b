"""`scale`: a base network grown by a strategy, with the authors' rounding."""

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
    """Whole and at least 1; then 1 and 2 stay, 3 to 5 become 4, larger ones the nearest multiple of 8."""
    g = max(1, round(g))
    return g if g <= 2 else 4 if g <= 5 else round(g / 8) * 8


def power_of_two_group_width(g: float) -> int:
    """Nearest power of two in log scale, from 1 to 64: 8, 16, 32 and 64 channels a group are the ones
    that cuDNN's kernels are fast at, and below them come the 1, 2 and 4 of the authors' rule.

    >>> [power_of_two_group_width(g) for g in (1.2, 5.3, 7, 24, 40, 48, 56, 72, 112)]
    [1, 4, 8, 32, 32, 64, 64, 64, 64]
    """
    return 2 ** min(max(0, math.floor(math.log2(g) + 0.5 + 1e-9)), 6)  # halfway: the larger


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
    """`base` grown to about `factor` times its flops by `strategy`: a new arch named
    `<base>.<strategy>-x<factor>`.

    Depths `max(1, round(d * f_d))`, widths and group widths as the functions above, made compatible;
    train and test resolution by the same multiplier. RegNets keep stem and head width, EfficientNets
    scale both. Python's `round` (half to even), as the authors'. `group_width_rounding`: "paper", or
    "power_of_two" for group widths of 1 to 64 that are powers of two (default: as the strategy says,
    the paper's unless its name ends in "-pow2"); widths become multiples of them, as always.
    InputError for an unknown strategy, a factor <= 0 or not finite, a result that no network can
    have, or a rounding of group widths where there are none.
    """
    strategy = Strategy.parse(strategy).rounded(group_width_rounding)
    if strategy.group_width_rounding != "paper" and not base.grouped:
        raise InputError(
            f"{base.name} has no group widths: it is scaled by {strategy.rounded('paper').name!r}"
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
    # a stage narrower than its group width took its own width, which may be no power of two
    return grown.resized(width=int, group_width=lambda g: 2 ** (int(g).bit_length() - 1))


def arch_named(name: str | NetworkName) -> Arch:
    """The base or scaled network of that name, `regnety-4gf` or `regnety-4gf.dWr-x4`; InputError for any other."""
    name = name if isinstance(name, NetworkName) else NetworkName.parse(name)
    base = base_arch(name.base)
    if name.strategy is None:
        return base
    try:
        return _grown(base, Strategy.parse(name.strategy), name.factor)
    except TypeError:  # one's own base that holds a list has no hash
        return scale(base, name.strategy, name.factor)


@lru_cache(maxsize=4096)
def _grown(base: Arch, strategy: Strategy, factor: float) -> Arch:
    """Grown once: figures, lists and plans name the same few networks again and again."""
    return scale(base, strategy, factor)


def network_of(name: str, defined: dict[str, Any] | None, where: str = "its definition") -> Arch:
    """The network of a record or checkpoint: that of its definition, or of its name alone.

    InputError (which begins with `where`) for a definition of something else than it names.
    """
    if defined is None:
        return arch_named(name)
    arch = from_definition(defined, where)
    if arch.name != name:
        raise InputError(f"{where}: is of {arch.name!r}, not of {name!r:.80}")
    return arch


def own_definition(arch: Arch) -> dict[str, Any] | None:
    """The definition that a record or checkpoint of a network has to carry; None for one whose name
    says it all, everywhere."""
    try:
        name = NetworkName.parse(arch.name)
        known = not is_own(name.base) and not is_own_strategy(name.strategy)
        if known and arch_named(name) == arch:
            return None
    except InputError:
        pass
    return definition(arch)
