"""One mark of the report: a network, what is known of it, and where that comes from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastscale.archs.names import strategy_spelling
from fastscale.paper.report.look import STRATEGIES, strategy_look
from fastscale.paper.stats import deviation, mean


@dataclass(frozen=True)
class Measure:
    """An axis: its key in links, its name, its unit (`scale`: how the page writes large numbers), and its digits."""

    key: str
    label: str
    unit: str
    log: bool = True
    counted: bool = False  # follows from the network alone
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
    """What was measured, and its spread: the standard deviation of n runs or, for one, that of its repeats; None where unknown."""

    value: float
    spread: float | None = None


@dataclass(frozen=True)
class Point:
    """`members` are the anchors of the records or of the reference's row that it is made from; `n` is how many were measured."""

    id: str
    network: str
    family: str
    strategy: str  # "base" for an unscaled network; group width scaled along or not is one strategy to the eye
    written: str  # as the record or the reference writes it
    data: str
    device: str
    cpu: bool
    mode: str
    source: str
    setting: str
    provenance: str
    members: tuple[str, ...]
    ours: bool = False
    n: int = 1
    values: dict[str, Value] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """Machine, mode, data and setting in one text: points that share it may be correlated."""
        where = self.device or "device not given"
        return ", ".join(filter(None, (where, self.mode, self.setting, self.data, self.source)))


def strategy_of(written: str | None) -> str:
    """The strategy whose colour and marker this one has: wg and w are one to the eye; one without its own look keeps its name."""
    if written in (None, "", "none", "base"):
        return "base"
    look = strategy_look(written)[:2]
    known = (name for name in STRATEGIES if strategy_look(name)[:2] == look)
    return next(known, strategy_spelling(written or "base"))


def pooled(values: Sequence[float]) -> Value | None:
    """Mean and standard deviation; None of nothing."""
    centre = mean(values)
    return None if centre is None else Value(centre, deviation(values))
