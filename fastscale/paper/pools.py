"""Pools of points whose times are correlated with a count: those of Fig. 2, and of the zoo."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastscale.paper.points import series_of_figure_2
from fastscale.paper.stats import pearson
from fastscale.paper.style import canonical_strategy
from fastscale.records.frame import Row


@dataclass(frozen=True)
class Pool:
    """Points whose times are correlated with one measure."""

    measure: str
    points: tuple[Row, ...]
    right: float | None = None  # the end of the axis; points beyond it are not counted
    time: str = "epoch_time_min"  # or image_time_s

    @property
    def inside(self) -> list[Row]:
        return [
            p for p in self.points if self.right is None or getattr(p, self.measure) <= self.right
        ]

    @property
    def without(self) -> "Pool":
        """The pool without stand-ins: points whose eager time replaces a missing device time."""
        return replace(self, points=tuple(p for p in self.points if p.clock != "stand-in"))

    def r(self, log: bool = False) -> float | None:
        """Pearson r of time with the measure, or of their logarithms."""
        xs, ys = self.values(log)
        return pearson(xs, ys)

    def values(self, log: bool = False) -> tuple[list[float], list[float]]:
        """The measures and the times of the points inside, or their logarithms."""
        times = [(p, getattr(p, self.time)) for p in self.inside]
        pairs = [(getattr(p, self.measure), time) for p, time in times if time is not None]
        found = [(math.log(x), math.log(y)) if log else (x, y) for x, y in pairs]
        return [x for x, _ in found], [y for _, y in found]


def pools_of_figure_2(points: Sequence[Row], acts_range: float | None) -> dict[str, Pool]:
    """Flops, params and acts of EfficientNet-B0's four series, and acts of the three families."""
    four = tuple(series_of_figure_2([p for p in points if p.time is not None]))
    three = [
        p
        for p in points
        if p.time is not None and canonical_strategy(p.strategy) in (None, "dwr", "dw", "dWr", "w")
    ]
    return {
        "flops": Pool("flops", four),
        "params": Pool("params", four),
        "acts": Pool("acts", four, acts_range),
        "families": Pool("acts", tuple(three), acts_range),
    }


def zoo_pools(points: Sequence[Row]) -> dict[str, Pool]:
    """Acts, flops and params of the zoo's networks."""
    timed = tuple(p for p in points if p.time is not None)
    return {measure: Pool(measure, timed) for measure in ("acts", "flops", "params")}
