"""One mark of the report: a network, its values and their provenance."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastscale.archs.names import strategy_spelling
from fastscale.paper.report.look import STRATEGIES, strategy_style
from fastscale.paper.stats import deviation, mean


@dataclass(frozen=True)
class Measure:
    """A quantity that an axis can show."""

    key: str  # in links
    label: str
    unit: str
    log: bool = True
    counted: bool = False  # from the network alone
    counts_in: str = ""  # M or B: the unit of the table's column


MEASURES = (
    Measure("flops", "flops (multiply-adds)", "", counted=True, counts_in="B"),
    Measure("params", "params", "", counted=True, counts_in="M"),
    Measure("acts", "acts", "", counted=True, counts_in="M"),
    Measure("epoch_time", "epoch time", "min"),
    Measure("time_per_image", "time per image", "ms"),
    Measure("memory", "peak memory", "MiB"),
    Measure("error", "top-1 error", "%", log=False),
)


@dataclass(frozen=True)
class Value:
    """A measured value with its spread."""

    value: float
    spread: float | None = None  # standard deviation of n runs; of one run, that of its repeats


@dataclass(frozen=True)
class Point:
    """A network under one set of conditions."""

    id: str
    network: str
    family: str
    strategy: str  # "base" for an unscaled network; one with and without group width
    written: str  # the strategy and factor as the record or the reference writes it
    data: str
    device: str
    cpu: bool
    mode: str
    source: str
    setting: str
    provenance: str
    members: tuple[str, ...]  # anchors of its records, or of its row in the reference
    ours: bool = False
    n: int = 1  # measurements
    values: dict[str, Value] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """Machine, mode, setting and data as one text; only points that share it are correlated."""
        where = self.device or "device not given"
        return ", ".join(filter(None, (where, self.mode, self.setting, self.data, self.source)))


def strategy_of(written: str | None) -> str:
    """The strategy that gives this one its colour and marker, or its spelling if none does."""
    if written in (None, "", "none", "base"):
        return "base"
    style = strategy_style(written)[:2]
    known = (name for name in STRATEGIES if strategy_style(name)[:2] == style)
    return next(known, strategy_spelling(written or "base"))


def pooled(values: Sequence[float]) -> Value | None:
    """Mean and standard deviation; None without values."""
    centre = mean(values)
    return None if centre is None else Value(centre, deviation(values))
