"""`scale_to`: finds the factor that meets a target of flops, params or acts after rounding."""

import math
from collections.abc import Callable
from typing import NamedTuple

from fastscale.archs import Arch
from fastscale.archs.check import said_number
from fastscale.counts import Complexity, complexity
from fastscale.errors import InputError
from fastscale.scaling.scale import scale
from fastscale.scaling.strategy import Strategy

_MOST = 10**18  # of any count: no network that can be built has more
_STEPS = 240  # factors tried over a range of 1.6x each way: steps of 0.4 %
_SPAN = math.log(1.6)


class ScaledTo(NamedTuple):
    """The result of `scale_to`: `factor, arch = scale_to(...)`."""

    factor: float
    arch: Arch

    @property
    def realised(self) -> Complexity:
        """The counts of the network. Rounding rarely allows the exact target."""
        return complexity(self.arch)


def scale_to(
    base: Arch,
    strategy: str | Strategy,
    *,
    flops: float | None = None,
    params: float | None = None,
    acts: float | None = None,
    group_width_rounding: str | None = None,
) -> ScaledTo:
    """`base` grown by `strategy` to the network nearest (in ratio) to one target.

    Give exactly one target: `flops` in multiply-adds, `params` in weights or `acts` in elements,
    for 1000 classes at the scaled resolution. The factor has as few digits as possible.
    `group_width_rounding`: as in `scale`. InputError if the strategy cannot come within 25 % of the
    target.
    """
    strategy = Strategy.parse(strategy).rounded(group_width_rounding)
    targets = {
        k: v for k, v in (("flops", flops), ("params", params), ("acts", acts)) if v is not None
    }
    if len(targets) != 1:
        raise InputError(
            f"scale_to takes exactly one of flops, params, acts; got {', '.join(targets) or 'none'}"
        )
    metric, target = next(iter(targets.items()))
    if isinstance(target, bool) or not isinstance(target, int | float) or not 0 < target <= _MOST:
        got = said_number(target)
        raise InputError(f"{metric} must be a finite number > 0 and at most {_MOST:.0e}, got {got}")
    growth = float(getattr(strategy.exponents(), metric))
    unscaled = getattr(complexity(base), metric)
    if growth == 0:
        raise InputError(
            f"strategy {strategy.name!r} does not change {metric}: give a target of flops or acts"
        )

    tried: dict[float, tuple[float, Arch] | None] = {}

    def miss(factor: float) -> float:
        """|log(realised / target)| at this factor; infinite if no such network exists."""
        if factor not in tried:
            try:
                arch = scale(base, strategy, factor)
                tried[factor] = (abs(math.log(getattr(complexity(arch), metric) / target)), arch)
            except (InputError, OverflowError):
                tried[factor] = None
        found = tried[factor]
        return math.inf if found is None else found[0]

    best = _search(miss, math.log(target / unscaled) / growth)
    if not miss(best) < math.log(1.25):
        raise InputError(
            f"{base.name} by {strategy.name!r} cannot reach {metric} = {target:,.0f}: "
            f"give a target nearer its own {unscaled:,.0f}"
        )
    best = shortest(best, lambda f: miss(f) <= miss(best) + 1e-12)
    found = tried[best]
    assert found is not None
    return ScaledTo(best, found[1])


def _search(miss: Callable[[float], float], log_guess: float) -> float:
    """The factor of least miss on a grid around the closed-form guess.

    The grid moves while the best factor lies at its edge.
    """
    for _ in range(4):
        grid = [math.exp(log_guess + _SPAN * (2 * i / _STEPS - 1)) for i in range(_STEPS + 1)]
        best = min(grid, key=miss)
        if best not in (grid[0], grid[-1]) or math.isinf(miss(best)):
            break
        log_guess = math.log(best)
    step = 2 * _SPAN / _STEPS
    return min([best, *(best * math.exp(step * (i / 10 - 1)) for i in range(21))], key=miss)


def shortest(factor: float, as_good: Callable[[float], bool]) -> float:
    """`factor` rounded to the fewest significant digits that are still as good."""
    for digits in range(1, 12):
        short = float(f"{factor:.{digits}g}")
        if as_good(short):
            return short
    return factor
