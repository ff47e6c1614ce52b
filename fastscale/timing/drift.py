"""Drift: whether a device was the same at the end of a measurement as at its start, told by a reference's time (needs no torch)."""

import statistics
from collections.abc import Sequence

from fastscale.records import Record

DRIFT_BOUND = 1.1  # beyond it (or below its inverse) it was not


def steady(ratio: float, bound: float = DRIFT_BOUND) -> bool:
    """Whether a reference's time, over its first time, is within the bound."""
    return 1 / bound <= ratio <= bound


def at_usual_clock(records: Sequence[Record]) -> list[Record]:
    """Those measured while the device ran as it did for most of them.

    A sweep's drift counts from its first minute, which may have been the odd one; what has to be alike is the clock of what is compared.
    """
    by_device: dict[str, list[float]] = {}
    for r in records:
        by_device.setdefault(r.env["device"], []).append(_drift(r))
    usual = {device: statistics.median(found) for device, found in by_device.items()}
    return [r for r in records if steady(_drift(r) / usual[r.env["device"]])]


def _drift(record: Record) -> float:
    return record.env.get("drift", 1.0)


def drifted(ratio: float) -> str | None:
    """A warning where a reference took another time at the end than at the start, beyond the bound."""
    if steady(ratio):
        return None
    return f"warning: the reference took {ratio:.2f} times its first time at the end: something else was running, or the clock moved"
