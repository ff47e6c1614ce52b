"""A planned network and what was measured of it: rows of the frame, of its runs and of its timing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastscale.archs.names import NetworkName
from fastscale.counts import Complexity
from fastscale.paper.stats import summary
from fastscale.records import Record
from fastscale.records.frame import Row, recorded


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network. `counts`: at its own resolution, with the classes of the data; `trained`: a row a
    seed, in their order; `timed`: of a training step, None where it was not timed."""

    name: NetworkName
    counts: Complexity
    trained: tuple[Row, ...]
    timed: Row | None

    @property
    def arch(self) -> str:
        """The network's name."""
        return self.name.name

    @property
    def base(self) -> str:
        """The name of what was scaled."""
        return self.name.base

    @property
    def strategy(self) -> str | None:
        """As it is declared; None: the base itself."""
        return self.name.strategy

    @property
    def by_seed(self) -> dict[int, float]:
        """Top-1 error in % of the raw weights."""
        return {r.seed or 0: r.error for r in self.trained if r.error is not None}

    @property
    def errors(self) -> list[float]:
        """The same, without the seeds."""
        return [*self.by_seed.values()]

    @property
    def summary(self) -> tuple[float, float | None, int] | None:
        """(mean, sample standard deviation, n) of the errors; None without a run."""
        return summary(self.errors)

    @property
    def step_epoch_s(self) -> float | None:
        """Seconds of an epoch of training steps on the device that it was timed on."""
        return None if self.timed is None or self.timed.time is None else 60 * self.timed.time

    @property
    def step_spread_s(self) -> float | None:
        """The spread of these."""
        return None if self.timed is None or self.timed.spread is None else 60 * self.timed.spread


def rows(records: Iterable[Record]) -> tuple[Row, ...]:
    """Runs as rows, by seed."""
    ordered = sorted(records, key=lambda r: (r.seed is None, r.seed))
    return tuple(map(recorded, ordered))


def timing(records: Sequence[Record]) -> Row | None:
    """The first of a network's records that tells the time of an epoch of steps."""
    found = (r for r in records if r.kind == "time" and "epoch_time_min" in r.values)
    return next(map(recorded, found), None)
