"""A device as the planner knows it: the laws fitted to what was measured on it, training and inference apart, with their envelope."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastscale.errors import InputError
from fastscale.planning.law import Law, Observation
from fastscale.planning.terms import WIDTHS, Terms

MODES = ("training", "inference")
RANGED = ("flops", "acts", "params", "layers")  # of terms; and resolution and batch


class Measurements(NamedTuple):
    """What one source measured on one device in one mode, under one envelope. `checks`: known times that take no part in the fit.

    `envelope`: hardware, precision, layout, compile, software, ... `devices`: over how many an epoch is shared unless said.
    """

    device: str
    mode: str
    observations: Sequence[Observation]
    envelope: dict[str, Any]
    source: str
    checks: Sequence[Observation] = ()
    devices: int = 8
    memory: float = 1.0


@dataclass(frozen=True)
class Measured:
    """One network's time on the device, kept to be shown beside a prediction. `network` and `resolution` identify it."""

    network: str
    resolution: int
    batch: float
    image_time_s: float


@dataclass(frozen=True)
class FittedLaw:
    """A law with what it rests on (see `Measurements`).

    `batch`: images a step on one device, the median of what was measured. `ranges`: least and largest
    measured flops, acts, params, layers, resolution and batch, and channels a group where the law
    tells these apart. `spreads`: by group ("family", "strategy", else "network"), the log factor
    within which 90 % of left-out networks lay.
    `measured`: every time known of a network. `memory`: measured peaks of memory over the model's, where known.
    """

    device: str
    mode: str
    law: Law
    envelope: dict[str, Any]
    source: str
    batch: float
    ranges: dict[str, tuple[float, float]]
    families: tuple[str, ...]
    spreads: dict[str, float]
    measured: tuple[Measured, ...]
    devices: int = 8
    memory: float = 1.0

    @property
    def ours(self) -> bool:
        """Whether it rests on records of our own, not on what others published."""
        return "time records" in self.source

    @property
    def clock_in_words(self) -> str:
        """Device time or eager time, where that is known."""
        from fastscale.records.durations import CLOCKS  # a plan without times needs no records

        return CLOCKS.get(str(self.envelope.get("clock")), "")

    @property
    def memory_mib(self) -> float | None:
        """Memory of one device, where its name says it (NVIDIA V100 32 GB); None otherwise."""
        found = re.search(r"\b(\d+) ?GB\b", str(self.envelope.get("hardware", "")))
        return 1024.0 * int(found[1]) if found else None

    def beyond(self, terms: Terms, batch: float, resolution: int) -> dict[str, float]:
        """What of the network (or the batch) lies outside of what was measured, and how many times
        beyond the end of the range; empty: the law interpolates."""
        found = {name: float(getattr(terms, name)) for name in (*RANGED, "group_width")}
        found |= {"resolution": resolution, "batch": batch}
        ends = {name: self.ranges[name] for name in found if name in self.ranges and found[name]}
        return {
            name: value / high if value > high else low / value
            for name, (low, high) in ends.items()
            if not low <= (value := found[name]) <= high
        }

    def spread(self, family: str) -> float:
        """Log factor of the interval: by leaving strategies out where the family was measured, else by leaving families out."""
        order = (
            ("strategy", "family", "network")
            if family in self.families
            else ("family", "strategy", "network")
        )
        return next(self.spreads[group] for group in order if group in self.spreads)


@dataclass(frozen=True)
class Device:
    """A name, the laws known for it, by mode, and why there is none of a mode that was measured (records that do not go together)."""

    name: str
    laws: dict[str, FittedLaw]
    refused: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        known = ", ".join(f"{mode} of {len(law.measured)}" for mode, law in self.laws.items())
        return f"Device({self.name}: {known or 'no law'})"

    def law(self, mode: str) -> FittedLaw:
        """The law for "training" or "inference". InputError where only the other was measured, or its records do not go together."""
        if mode in self.refused:
            raise InputError(self.refused[mode])
        if mode not in self.laws:
            other = ", ".join(self.laws)
            raise InputError(
                f"device {self.name}: only {other} was measured there, so it says nothing about {mode}"
            )
        return self.laws[mode]


def fitted_to(m: Measurements) -> FittedLaw:
    """The law of one device and mode. InputError where the observations are too few."""
    from fastscale.planning.validate import (
        choose,
    )  # loads numpy, which the shipped laws do not need

    law, spreads = choose(m.observations)
    ranged = (*RANGED, "group_width") if set(law.seconds) & set(WIDTHS) else RANGED
    known = {name: [getattr(o.terms, name) for o in m.observations] for name in ranged}
    ranges = {name: _range([x for x in found if x]) for name, found in known.items()}
    return FittedLaw(
        device=m.device,
        mode=m.mode,
        law=Law(law.name, {name: _digits(value, 5) for name, value in law.seconds.items()}),
        envelope=m.envelope,
        source=m.source,
        batch=statistics.median_low(o.batch for o in m.observations),
        ranges={
            **ranges,
            "resolution": _range([o.resolution for o in m.observations]),
            "batch": _range([o.batch for o in m.observations]),
        },
        families=tuple(sorted({o.family for o in m.observations})),
        spreads={group: _digits(value, 4) for group, value in spreads.items()},
        measured=tuple(
            Measured(o.network, o.resolution, o.batch, _digits(o.image_time_s, 6))
            for o in (*m.observations, *m.checks)
        ),
        devices=m.devices,
        memory=m.memory,
    )


def _digits(value: float, count: int) -> float:
    """Rounded: another machine's last bits must not change the file."""
    return float(f"{value:.{count}g}")


def to_dict(law: FittedLaw) -> dict[str, Any]:
    """For JSON: networks as rows, numbers as they are."""
    rows = [[m.network, m.resolution, m.batch, m.image_time_s] for m in law.measured]
    own = {**vars(law), "law": law.law.name, "seconds": law.law.seconds, "measured": rows}
    return {
        **own,
        "ranges": {name: list(r) for name, r in law.ranges.items()},
        "families": list(law.families),
    }


def from_dict(content: dict[str, Any]) -> FittedLaw:
    """The other way."""
    own = {key: value for key, value in content.items() if key != "seconds"}
    return FittedLaw(
        **{
            **own,
            "law": Law(content["law"], content["seconds"]),
            "ranges": {name: (low, high) for name, (low, high) in content["ranges"].items()},
            "families": tuple(content["families"]),
            "measured": tuple(Measured(*row) for row in content["measured"]),
        }
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
