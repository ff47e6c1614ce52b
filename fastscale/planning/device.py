"""A device as the planner knows it: the laws fitted to what was measured on it, training and inference apart, with their envelope."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastscale.errors import InputError
from fastscale.planning.law import LAWS, Law, Observation
from fastscale.planning.terms import Terms

MODES = ("training", "inference")
RANGED = ("flops", "acts", "params", "layers")


@dataclass(frozen=True)
class Measured:
    """One network's time on the device, kept to be shown beside a prediction. `network` and `resolution` identify it."""

    network: str
    resolution: int
    batch: float
    image_time_s: float


@dataclass(frozen=True)
class FittedLaw:
    """A law with what it rests on.

    `envelope`: what was measured and how, one text each (precision, layout, compile, software, ...). `batch`: images a step on one device,
    the median of what was measured. `ranges`: least and largest measured flops, acts, params, layers and batch. `spreads`: by group
    ("family", "strategy"), the log factor within which 90 % of left-out networks lay. `devices`: over how many an epoch is shared unless said.
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

    def outside(self, terms: Terms, batch: float) -> tuple[str, ...]:
        """What of the network (or the batch) lies outside of what was measured; empty: the law interpolates."""
        found = {**{name: getattr(terms, name) for name in RANGED}, "batch": batch}
        return tuple(name for name, value in found.items() if not self.ranges[name][0] <= value <= self.ranges[name][1])

    def spread(self, family: str) -> float:
        """Log factor of the interval: by leaving strategies out where the family was measured, else by leaving families out."""
        known = [self.spreads[group] for group in ("strategy", "family") if group in self.spreads]
        if not known:
            raise InputError(f"{self.device}: all that was measured is one family and strategy, too little to say how far the law holds")
        return known[0] if family in self.families and "strategy" in self.spreads else self.spreads.get("family", known[0])


@dataclass(frozen=True)
class Device:
    """A name and the laws known for it, by mode."""

    name: str
    laws: dict[str, FittedLaw]

    def law(self, mode: str) -> FittedLaw:
        """The law for "training" or "inference". InputError where only the other was measured."""
        if mode not in self.laws:
            other = ", ".join(self.laws)
            raise InputError(f"device {self.name}: only {other} was measured there, so it says nothing about {mode}")
        return self.laws[mode]


def fitted(
    device: str, mode: str, observations: Sequence[Observation], envelope: dict[str, Any], source: str, devices: int = 8
) -> FittedLaw:
    """The law of one device and mode. InputError where the observations are too few."""
    from fastscale.planning.validate import choose  # loads numpy, which the shipped laws do not need

    law, spreads = choose(observations)
    digits = {name: float(f"{value:.5g}") for name, value in law.seconds.items()}
    ranges = {name: _range([getattr(o.terms, name) for o in observations]) for name in RANGED}
    return FittedLaw(
        device=device,
        mode=mode,
        law=Law(law.name, digits),
        envelope=envelope,
        source=source,
        batch=statistics.median_low(o.batch for o in observations),
        ranges={**ranges, "batch": _range([o.batch for o in observations])},
        families=tuple(sorted({o.family for o in observations})),
        spreads={group: float(f"{value:.4g}") for group, value in spreads.items()},
        measured=tuple(Measured(o.network, o.resolution, o.batch, float(f"{o.image_time_s:.6g}")) for o in observations),
        devices=devices,
    )


def to_dict(law: FittedLaw) -> dict[str, Any]:
    """For JSON: networks as rows, numbers as they are."""
    seconds = {name: law.law.seconds[name] for name in LAWS[law.law.name]}
    rows = [[m.network, m.resolution, m.batch, m.image_time_s] for m in law.measured]
    own = {**vars(law), "law": law.law.name, "seconds": seconds, "measured": rows}
    return {**own, "ranges": {name: list(r) for name, r in law.ranges.items()}, "families": list(law.families)}


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
