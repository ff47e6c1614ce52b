"""Networks that a device was timed with twice, as a replayed graph and eagerly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastscale.counts.traffic import step_bytes
from fastscale.paper.stats import pearson
from fastscale.planning.law import Observation
from fastscale.planning.observed import observed
from fastscale.records import Record, arch_of, step_time
from fastscale.records.frame import Row, recorded
from fastscale.references.devices import short_name

BACKWARD = 3  # a step's multiply-adds over those of a forward pass: backwards there are two


@dataclass(frozen=True)
class Timed:
    """A network's step: device time (eager where `stand_in`) and eager time, seconds an image."""

    row: Row
    device: float
    eager: float
    step_bytes: int

    @property
    def stand_in(self) -> bool:
        """Whether no graph was captured, so that its eager time stands in."""
        return self.row.clock == "stand-in"

    @property
    def observation(self) -> Observation:
        """As a law is fitted to it."""
        return observed(self.row)

    @property
    def width(self) -> int:
        """The most channels a group of its grouped convs; 1: depthwise."""
        return self.observation.terms.group_width

    @property
    def per_act(self) -> float:
        """Seconds an activation."""
        return self.device / (self.row.acts or 1)

    @property
    def bytes_per_s(self) -> float:
        """The bytes that its step moves at least, over its time."""
        return self.step_bytes / (self.device * (self.row.batch or 1))

    @property
    def multiply_adds_per_s(self) -> float:
        """Of a step, which has three times those of a forward pass."""
        return BACKWARD * (self.row.flops or 0) / self.device

    @property
    def intensity(self) -> float:
        """Multiply-adds a byte."""
        return self.multiply_adds_per_s / self.bytes_per_s


def timed(records: Iterable[Record], device: str) -> list[Timed]:
    """The training steps timed both ways (or eagerly in place of both) on `device`, by its short
    name; of several batches the largest. In the records' order."""
    found: dict[str, Timed] = {}
    for record in records:
        eager = step_time(record, "step", "eager") if record.kind == "time" else None
        if eager is None or short_name(record.env["device"]) != device:
            continue
        row = recorded(record)
        if row.clock not in ("device", "stand-in") or not row.image_time_s or not row.batch:
            continue
        batch = int(row.batch)
        moved = step_bytes(arch_of(record), batch, record.resolution, record.num_classes)
        one = Timed(row, row.image_time_s, eager.seconds / batch, moved)
        known = found.get(record.arch)
        if known is None or (known.row.batch or 0) < batch:
            found[record.arch] = one
    return list(found.values())


def r(networks: Sequence[Timed], count: str, clock: str) -> float | None:
    """Pearson r of the time of an image by `clock` (device or eager) with a count."""
    return pearson([getattr(n.row, count) for n in networks], [getattr(n, clock) for n in networks])
