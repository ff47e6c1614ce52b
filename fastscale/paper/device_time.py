"""Networks timed twice on a device: as a replayed CUDA graph and eagerly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from fastscale.counts.traffic import step_bytes
from fastscale.paper.stats import pearson
from fastscale.planning.law import Observation
from fastscale.planning.observed import observed
from fastscale.records import Record, arch_of, step_time
from fastscale.records.frame import Row, recorded
from fastscale.references.devices import short_name

BACKWARD = 3  # multiply-adds of a step over those of a forward pass: the backward pass has twice


@dataclass(frozen=True)
class Timed:
    """The step time of a network, in seconds per image."""

    row: Row
    device: float  # eager time if `stand_in`
    eager: float
    step_bytes: int  # the least that a step moves

    @property
    def stand_in(self) -> bool:
        """Whether no graph was captured, so that eager time stands in for device time."""
        return self.row.clock == "stand-in"

    @cached_property
    def observation(self) -> Observation:
        """The step as a runtime law is fitted to it."""
        return observed(self.row)

    @property
    def width(self) -> int:
        """The largest number of channels per group of the grouped convs; 1: depthwise."""
        return self.observation.terms.group_width

    @property
    def per_act(self) -> float:
        """Seconds per activation."""
        return self.device / (self.row.acts or 1)

    @property
    def bytes_per_s(self) -> float:
        """The least bytes of a step over its time."""
        return self.step_bytes / (self.device * (self.row.batch or 1))

    @property
    def multiply_adds_per_s(self) -> float:
        """The multiply-adds of a step over its time."""
        return BACKWARD * (self.row.flops or 0) / self.device

    @property
    def intensity(self) -> float:
        """Multiply-adds per byte."""
        return self.multiply_adds_per_s / self.bytes_per_s


def timed(records: Iterable[Record], device: str) -> list[Timed]:
    """The training steps timed on `device` (a short name), by network in the records' order.

    A step counts if it has an eager time and a device time, or an eager time that stands in for it.
    Of several batches the largest counts.
    """
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
    """Pearson r of time per image by `clock` (device or eager) with a count."""
    return pearson([getattr(n.row, count) for n in networks], [getattr(n, clock) for n in networks])
