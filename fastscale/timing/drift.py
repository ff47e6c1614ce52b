"""Drift: whether a device ran equally fast at the start and the end of a measurement.

A reference network, timed repeatedly, shows it. Needs no torch.
"""

import statistics
from collections.abc import Sequence

from fastscale.records import Record

DRIFT_BOUND = 1.1  # beyond it (or below its inverse) the device was not steady


def steady(ratio: float, bound: float = DRIFT_BOUND) -> bool:
    """Whether the reference network's time, relative to its first, is within the bound."""
    return 1 / bound <= ratio <= bound


def at_usual_clock(records: Sequence[Record]) -> list[Record]:
    """The records measured while the device ran as fast as for most of them.

    A sweep's drift is relative to its first minute, which may have been unusual. So records are
    compared with the median drift.
    """
    by_device: dict[str, list[float]] = {}
    for r in records:
        by_device.setdefault(r.env["device"], []).append(_drift(r))
    usual = {device: statistics.median(found) for device, found in by_device.items()}
    return [r for r in records if steady(_drift(r) / usual[r.env["device"]])]


def _drift(record: Record) -> float:
    return record.env.get("drift", 1.0)


def drifted(ratio: float) -> str | None:
    """A warning if the reference network's time changed beyond the bound, else None."""
    if steady(ratio):
        return None
    return (
        f"warning: the reference network took {ratio:.2f} times its first time at the end: "
        "something else was running, or the clock changed"
    )
