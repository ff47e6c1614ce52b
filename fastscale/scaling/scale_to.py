"""`scale_to`: the factor that meets a target of flops, params or acts, searched over the counts that rounding really gives."""

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
    """What `scale_to` found: `factor, arch = scale_to(...)`."""

    factor: float
    arch: Arch

    @property
    def realised(self) -> Complexity:
        """The counts of the network found (rounding rarely allows the target itself)."""
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
    """The network nearest (in ratio) to one target, grown from `base` by `strategy`; the factor has the fewest digits that give it.

    `flops` in multiply-adds, `params` in weights, `acts` in elements, each at the scaled resolution with 1000 classes.
    `group_width_rounding`: as in `scale`.
    InputError unless exactly one positive target is given that the strategy can move and reach within 25 %.
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
        said = said_number(target)
        raise InputError(
            f"{metric} must be a finite number > 0 and at most {_MOST:.0e}, got {said}"
        )
    growth = float(getattr(strategy.exponents(), metric))
    own = getattr(complexity(base), metric)
    if growth == 0:
        raise InputError(
            f"strategy {strategy.name!r} leaves {metric} as they are: give a target of flops or acts"
        )

    tried: dict[float, tuple[float, Arch] | None] = {}

    def miss(factor: float) -> float:
        """|log(realised / target)| at this factor, infinite where no such network exists."""
        if factor not in tried:
            try:
                arch = scale(base, strategy, factor)
                tried[factor] = (abs(math.log(getattr(complexity(arch), metric) / target)), arch)
            except (InputError, OverflowError):
                tried[factor] = None
        found = tried[factor]
        return math.inf if found is None else found[0]

    best = _search(miss, math.log(target / own) / growth)
    if not miss(best) < math.log(1.25):
        raise InputError(
            f"{base.name} by {strategy.name!r} cannot reach {metric} = {target:g}: give a target nearer its own {own:g}"
        )
    best = shortest(best, lambda f: miss(f) <= miss(best) + 1e-12)
    found = tried[best]
    assert found is not None
    return ScaledTo(best, found[1])


def _search(miss: Callable[[float], float], log_guess: float) -> float:
    """The factor of least miss on a grid around the closed-form guess, re-centred as the realised counts demand."""
    for _ in range(4):
        grid = [math.exp(log_guess + _SPAN * (2 * i / _STEPS - 1)) for i in range(_STEPS + 1)]
        best = min(grid, key=miss)
        if best not in (grid[0], grid[-1]) or math.isinf(miss(best)):
            break
        log_guess = math.log(best)
    step = 2 * _SPAN / _STEPS
    return min([best, *(best * math.exp(step * (i / 10 - 1)) for i in range(21))], key=miss)


def shortest(factor: float, as_good: Callable[[float], bool]) -> float:
    """`factor` with the fewest significant digits that still give a network as good."""
    for digits in range(1, 12):
        short = float(f"{factor:.{digits}g}")
        if as_good(short):
            return short
    return factor
