"""The largest network that a strategy makes from a base within limits, after rounding.

Costs grow with the factor, but not evenly: rounded widths and depths jump, so a larger factor can
give a cheaper network. Bisection finds where the cost first passes the limit. Then the factors
around it are tried in steps of 0.6 %, finer near the best. If time depends on group width, which
can double it from one width to the next, factors up to eight times larger are tried too.
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
_JUMP, _FARTHEST = 2.5, 8.0  # no other group width brings a load above _JUMP back under 1

Costs = dict[str, float]


class Unlimited(InputError):
    """No largest network: no limited cost reaches its limit at any factor tried."""


@dataclass(frozen=True)
class Found:
    """A network tried. `load`: the largest ratio of a cost to its limit; `binds`: that cost."""

    factor: float
    arch: Arch
    terms: Terms
    costs: Costs
    load: float
    binds: str

    @property
    def fits(self) -> bool:
        """Whether it is within every limit."""
        return self.load <= 1


class Search:
    """The search for one base and strategy.

    `limits`: cost -> largest value allowed; `costs(arch, count(arch))`: a network's costs.
    `jumps`: whether a cost can jump with group width.
    """

    def __init__(
        self,
        base: Arch,
        strategy: Strategy,
        limits: Costs,
        count: Callable[[Arch], Terms],
        costs: Callable[[Arch, Terms], Costs],
        jumps: bool = False,
    ):
        self.base, self.strategy, self.limits = base, strategy, limits
        self.count, self.costs, self.jumps = count, costs, jumps
        self._tried: dict[float, Found | None] = {}
        self._same: dict[tuple, tuple[Terms, Costs]] = {}

    def at(self, factor: float) -> Found | None:
        """The network at this factor; None if there is none (too small for its strides)."""
        if factor not in self._tried:
            try:
                arch = scale(self.base, self.strategy, factor)
            except (InputError, OverflowError):
                self._tried[factor] = None
                return None
            shape = structure(arch)
            if shape not in self._same:  # rounding gives many factors the same network
                counted = self.count(arch)
                self._same[shape] = counted, self.costs(arch, counted)
            counted, costs = self._same[shape]
            load, binds = max((costs[name] / limit, name) for name, limit in self.limits.items())
            self._tried[factor] = Found(factor, arch, counted, costs, load, binds)
        return self._tried[factor]

    def largest(self) -> Found | None:
        """The network with the most flops within the limits; None if none fits (see `least`).

        Unlimited if no limited cost grows with the factor, or none reaches its limit.
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
        """Larger factors, up to where a jump can no longer explain the load."""
        found, end = [], min(factor * _FARTHEST, LARGEST)
        while factor < end and self._load(factor) < _JUMP:
            factor *= math.exp(_COARSE * _STEP)
            found.append(factor)
        return found

    def least(self) -> Found | None:
        """Of the networks tried, the one with the smallest load."""
        tried = [found for found in self._tried.values() if found is not None]
        return self._short(min(tried, key=lambda found: found.load)) if tried else None

    def _short(self, found: Found) -> Found:
        """The same network at the factor with the fewest digits."""
        shape = structure(found.arch)

        def same(factor: float) -> bool:
            other = self.at(factor)
            return other is not None and structure(other.arch) == shape

        return self.at(shortest(found.factor, same)) or found

    def _load(self, factor: float) -> float:
        found = self.at(factor)
        return 0.0 if found is None else found.load  # no network: too small, so cheap

    def _edge(self) -> float | None:
        """A factor at which the load passes 1; None if even the smallest network exceeds it."""
        low = high = 1.0
        while self._load(high) <= 1:
            if high >= LARGEST:
                most = max(found.load for found in self._tried.values() if found is not None)
                if most > self._load(1.0) * 1.01:
                    raise Unlimited(
                        f"{self.strategy.name} is within the budget up to the largest factor "
                        f"tried, {high:,.0f}: give a smaller budget"
                    )
                raise Unlimited(
                    f"{self.strategy.name} grows nothing that is limited: give a budget that "
                    "grows with the network (flops, or epoch time on a device)"
                )
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
        return max(fitting, key=lambda f: (f.terms.flops, -f.load, -f.factor), default=None)


def structure(arch: Arch) -> tuple:
    """A network's fields without its name and test resolution: equal for equal networks."""
    return tuple(
        value for key, value in vars(arch).items() if key not in ("name", "test_resolution")
    )
