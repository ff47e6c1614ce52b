"""A planned network with its measurements: rows of the frame for its runs and its timing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastscale.archs.names import NetworkName
from fastscale.counts import Complexity
from fastscale.paper.stats import summary
from fastscale.records import Record
from fastscale.records.frame import Row, recorded


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network."""

    name: NetworkName
    counts: Complexity  # at its own resolution, with the classes of the data
    trained: tuple[Row, ...]  # one row per seed, sorted
    timed: Row | None  # of a training step

    @property
    def arch(self) -> str:
        """The network's name."""
        return self.name.name

    @property
    def base(self) -> str:
        """The name of its base."""
        return self.name.base

    @property
    def strategy(self) -> str | None:
        """The strategy as declared; None for the base itself."""
        return self.name.strategy

    @property
    def by_seed(self) -> dict[int, float]:
        """Top-1 error in % of the raw weights, by seed."""
        return {r.seed or 0: r.error for r in self.trained if r.error is not None}

    @property
    def errors(self) -> list[float]:
        """Top-1 errors in % of the raw weights, one per run."""
        return [*self.by_seed.values()]

    @property
    def summary(self) -> tuple[float, float | None, int] | None:
        """(mean, sample standard deviation, n) of the errors; None without runs."""
        return summary(self.errors)

    @property
    def step_epoch_s(self) -> float | None:
        """Seconds per epoch of training steps on the device that timed it."""
        return None if self.timed is None or self.timed.time is None else 60 * self.timed.time

    @property
    def step_spread_s(self) -> float | None:
        """The spread of `step_epoch_s`."""
        return None if self.timed is None or self.timed.spread is None else 60 * self.timed.spread


def rows(records: Iterable[Record]) -> tuple[Row, ...]:
    """Runs as rows, sorted by seed."""
    ordered = sorted(records, key=lambda r: (r.seed is None, r.seed))
    return tuple(map(recorded, ordered))


def timing(records: Sequence[Record]) -> Row | None:
    """The first of a network's timing records that has an epoch time."""
    found = (r for r in records if r.kind == "time" and "epoch_time_min" in r.values)
    return next(map(recorded, found), None)
