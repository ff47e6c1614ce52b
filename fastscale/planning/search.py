"""The largest network that a strategy makes of a base within limits, searched over what rounding really gives.

Costs grow with the factor, but not evenly: rounded widths and depths jump, so that a larger factor can give a cheaper network. The limit is
bracketed and halved to where the cost first passes it; then every factor around that (steps of
0.6 %, finer at the best) is tried, and, where time depends on group width (which may double it from
one width to the next), factors up to eight times beyond.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.planning.terms import Terms
from fastscale.scaling import Strategy, scale
from fastscale.scaling.scale_to import shortest

LARGEST, SMALLEST = 20_000.0, 1 / 4096  # factors tried
_AROUND, _STEP = math.log(1.4), 0.006
_COARSE = 6  # steps at once, farther out
_JUMP, _FARTHEST = 2.5, 8.0  # a load beyond this is not brought back under 1 by another group width

Costs = dict[str, float]


class Unlimited(InputError):
    """What is limited does not grow with the factor, or not to its limit within the factors tried: there is no largest network."""


@dataclass(frozen=True)
class Found:
    """A network on the way: `load` is its largest cost over its limit (fits: at most 1), `binds` the name of that cost."""

    factor: float
    arch: Arch
    terms: Terms
    costs: Costs
    load: float
    binds: str

    @property
    def fits(self) -> bool:
        """Within every limit."""
        return self.load <= 1


class Search:
    """One base and strategy under `limits` (cost name -> largest value allowed); `costs(arch, count(arch))` gives a network's."""

    def __init__(
        self,
        base: Arch,
        strategy: Strategy,
        limits: Costs,
        count: Callable[[Arch], Terms],
        costs: Callable[[Arch, Terms], Costs],
        jumps: bool = False,
    ):
        """`jumps`: whether a cost may jump with group width."""
        self.base, self.strategy, self.limits, self.count, self.costs = (
            base,
            strategy,
            limits,
            count,
            costs,
        )
        self.jumps = jumps
        self._tried: dict[float, Found | None] = {}
        self._same: dict[tuple, tuple[Terms, Costs]] = {}

    def at(self, factor: float) -> Found | None:
        """The network at this factor; None where there is none (too small for its strides)."""
        if factor not in self._tried:
            try:
                arch = scale(self.base, self.strategy, factor)
            except (InputError, OverflowError):
                self._tried[factor] = None
                return None
            shape = structure(arch)
            if shape not in self._same:  # rounding gives many factors one network
                counted = self.count(arch)
                self._same[shape] = counted, self.costs(arch, counted)
            counted, costs = self._same[shape]
            load, binds = max((costs[name] / limit, name) for name, limit in self.limits.items())
            self._tried[factor] = Found(factor, arch, counted, costs, load, binds)
        return self._tried[factor]

    def largest(self) -> Found | None:
        """The network of most flops within the limits; None where there is none (`least` tells how near any came).

        Unlimited where nothing that is limited grows with the factor, or no factor tried reaches a limit.
        """
        edge = self._edge()
        if edge is None:
            return None
        count = round(_AROUND / _STEP)
        factors = [edge * math.exp(_STEP * i) for i in range(-count, count + 1)]
        found = self._best(factors)
        if self.jumps and (farther := self._best(self._beyond(factors[-1]))) is not None:
            coarse = farther.factor
            found = self._best([coarse * math.exp(_STEP * i) for i in range(-_COARSE, _COARSE + 1)])
        if found is None:
            return None
        found = self._best(
            [found.factor] + [found.factor * math.exp(_STEP * i / 8) for i in range(-8, 9)]
        )
        assert found is not None
        return self._short(found)

    def _beyond(self, factor: float) -> list[float]:
        """Factors from there on, as far as a jump may have made the network before too slow."""
        found, end = [], min(factor * _FARTHEST, LARGEST)
        while factor < end and self._load(factor) < _JUMP:
            factor *= math.exp(_COARSE * _STEP)
            found.append(factor)
        return found

    def least(self) -> Found | None:
        """Of the networks tried, the one that comes nearest to the limits."""
        tried = [found for found in self._tried.values() if found is not None]
        return self._short(min(tried, key=lambda found: found.load)) if tried else None

    def _short(self, found: Found) -> Found:
        """The same network by the factor of fewest digits."""
        shape = structure(found.arch)
        return (
            self.at(
                shortest(
                    found.factor,
                    lambda f: (at := self.at(f)) is not None and structure(at.arch) == shape,
                )
            )
            or found
        )

    def _load(self, factor: float) -> float:
        found = self.at(factor)
        return 0.0 if found is None else found.load  # too small a network is a cheap one

    def _edge(self) -> float | None:
        """A factor at which the largest load passes 1; None where even the smallest network's is clearly above."""
        low = high = 1.0
        while self._load(high) <= 1:
            if high >= LARGEST:
                if (
                    max(found.load for found in self._tried.values() if found is not None)
                    > self._load(1.0) * 1.01
                ):
                    raise Unlimited(
                        f"{self.strategy.name} is within the budget up to the largest factor tried, {high:,.0f}: give a smaller one"
                    )
                advice = (
                    "give a budget that grows with the network (flops, or epoch time on a device)"
                )
                raise Unlimited(f"{self.strategy.name} grows nothing that is limited: {advice}")
            high *= 2
        while self._load(low) > 1:
            low /= 2
            if low < SMALLEST:
                return None
        for _ in range(12):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self._load(middle) > 1 else (middle, high)
        return low

    def _best(self, factors: list[float]) -> Found | None:
        fitting = [
            found
            for factor in factors
            if (found := self.at(min(factor, LARGEST))) is not None and found.fits
        ]
        return (
            max(fitting, key=lambda found: (found.terms.flops, -found.load, -found.factor))
            if fitting
            else None
        )


def structure(arch: Arch) -> tuple:
    """What makes a network, without its name."""
    return tuple(
        value for key, value in vars(arch).items() if key not in ("name", "test_resolution")
    )
