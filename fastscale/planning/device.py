"""A device as the planner knows it: a law for training and one for inference.

Each is fitted to what was measured there in one environment.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastscale.errors import InputError
from fastscale.planning.law import Law, Observation
from fastscale.planning.terms import WIDTHS, Terms

MODES = ("training", "inference")
RANGED = ("flops", "acts", "params", "layers")  # terms with a range, beside resolution and batch


class Measurements(NamedTuple):
    """What one source measured on one device, in one mode and one environment.

    `environment`: hardware, precision, layout, compile, software, ... `checks`: known times that
    take no part in the fit. `devices`: the default number of devices that share an epoch.
    `memory`: measured over modelled peak memory.
    """

    device: str
    mode: str
    observations: Sequence[Observation]
    environment: dict[str, Any]
    source: str
    checks: Sequence[Observation] = ()
    devices: int = 8
    memory: float = 1.0


@dataclass(frozen=True)
class Measured:
    """One network's measured time, to show beside a prediction."""

    network: str
    resolution: int
    batch: float
    image_time_s: float


@dataclass(frozen=True)
class FittedLaw:
    """A law and the measurements behind it (see `Measurements`).

    `batch`: median images a step on one device. `ranges`: least and largest measured flops, acts,
    params, layers, resolution and batch; and channels a group if the law distinguishes these.
    `spreads`: by group ("family", "strategy", else "network"), the log factor within which 90 % of
    left-out networks lay. `measured`: every known time. `memory`: measured over modelled
    peak memory.
    """

    device: str
    mode: str
    law: Law
    environment: dict[str, Any]
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
        """Whether it was fitted to our records, not to published times."""
        return "time records" in self.source

    @property
    def clock_in_words(self) -> str:
        """Device time or eager time; "" if unknown."""
        # imported here: a plan without times needs no records
        from fastscale.records.durations import CLOCKS

        return CLOCKS.get(str(self.environment.get("clock")), "")

    @property
    def memory_mib(self) -> float | None:
        """Memory of one device if its name includes it (NVIDIA V100 32 GB), else None."""
        found = re.search(r"\b(\d+) ?GB\b", str(self.environment.get("hardware", "")))
        return 1024.0 * int(found[1]) if found else None

    def beyond(self, terms: Terms, batch: float, resolution: int) -> dict[str, float]:
        """What is outside the measured range, and how many times beyond its end.

        Empty if the law interpolates.
        """
        found = {name: float(getattr(terms, name)) for name in (*RANGED, "group_width")}
        found |= {"resolution": resolution, "batch": batch}
        ends = {name: self.ranges[name] for name in found if name in self.ranges and found[name]}
        return {
            name: value / high if value > high else low / value
            for name, (low, high) in ends.items()
            if not low <= (value := found[name]) <= high
        }

    def spread(self, family: str) -> float:
        """Log factor of the interval.

        From left-out strategies if the family was measured, else from left-out families.
        """
        order = (
            ("strategy", "family", "network")
            if family in self.families
            else ("family", "strategy", "network")
        )
        return next(self.spreads[group] for group in order if group in self.spreads)


@dataclass(frozen=True)
class Device:
    """A name and its laws by mode; `refused`: why a measured mode has none (mixed records)."""

    name: str
    laws: dict[str, FittedLaw]
    refused: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        known = ", ".join(f"{mode} of {len(law.measured)}" for mode, law in self.laws.items())
        return f"Device({self.name}: {known or 'no law'})"

    def law(self, mode: str) -> FittedLaw:
        """The law for "training" or "inference".

        InputError if only the other was measured, or if its records are mixed.
        """
        if mode in self.refused:
            raise InputError(self.refused[mode])
        if mode not in self.laws:
            other = ", ".join(self.laws)
            raise InputError(f"device {self.name}: only {other} was measured there, not {mode}")
        return self.laws[mode]


def fitted_to(m: Measurements) -> FittedLaw:
    """The law of one device and mode. InputError for too few observations."""
    # imported here: it loads numpy, which the shipped laws do not need
    from fastscale.planning.validate import choose

    law, spreads = choose(m.observations)
    ranged = (*RANGED, "group_width") if set(law.seconds) & set(WIDTHS) else RANGED
    known = {name: [getattr(o.terms, name) for o in m.observations] for name in ranged}
    ranges = {name: _range([x for x in found if x]) for name, found in known.items()}
    return FittedLaw(
        device=m.device,
        mode=m.mode,
        law=Law(law.name, {name: _digits(value, 5) for name, value in law.seconds.items()}),
        environment=m.environment,
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
    """Rounded, so that another machine's last bits do not change the file."""
    return float(f"{value:.{count}g}")


def to_dict(law: FittedLaw) -> dict[str, Any]:
    """A law for JSON, its networks as rows."""
    rows = [[m.network, m.resolution, m.batch, m.image_time_s] for m in law.measured]
    plain = {**vars(law), "law": law.law.name, "seconds": law.law.seconds, "measured": rows}
    plain["envelope"] = plain.pop("environment")  # the key of devices.json
    return {
        **plain,
        "ranges": {name: list(r) for name, r in law.ranges.items()},
        "families": list(law.families),
    }


def from_dict(content: dict[str, Any]) -> FittedLaw:
    """Inverse of `to_dict`."""
    plain = {key: value for key, value in content.items() if key not in ("seconds", "envelope")}
    return FittedLaw(
        **{
            **plain,
            "environment": content["envelope"],
            "law": Law(content["law"], content["seconds"]),
            "ranges": {name: (low, high) for name, (low, high) in content["ranges"].items()},
            "families": tuple(content["families"]),
            "measured": tuple(Measured(*row) for row in content["measured"]),
        }
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
