"""The step time of a record: device time where it was measured, otherwise eager time.

A GPU step is timed twice: replayed as one CUDA graph, which shows what the device needs
(`device_step_time_s`), and eagerly, including the host's launches (`eager_step_time_s`). A CPU step
has an eager time only. If no graph could be captured (`env.cuda_graph` is false), the eager time
stands in for the device time. Older records hold `step_time_s`, which is eager.
"""

from typing import NamedTuple

from fastscale.errors import InputError
from fastscale.records.record import Record

WHAT = ("step", "inference")
CLOCKS = {
    "device": "device time (CUDA graph)",
    "eager": "eager time (host launches included)",
    "stand-in": "eager time in place of device time",
}


class Duration(NamedTuple):
    """Time of a training step or of a forward pass on `env.batch` images."""

    seconds: float
    spread: float | None  # seconds: half the interquartile range of the rounds, None if unknown
    clock: str  # one of CLOCKS
    what: str  # step or inference


def step_time(record: Record, what: str | None = None, clock: str | None = None) -> Duration | None:
    """The step or inference time of a record; None if it holds none.

    `what`: step or inference; default: whichever the record holds. `clock`: device or eager;
    default: device time, or eager time where there is none. InputError for any other word.
    """
    if what not in (None, *WHAT) or clock not in (None, "device", "eager"):
        raise InputError(f"no time of a record is {what!r} by the clock {clock!r}")
    for kind in WHAT if what is None else (what,):
        for prefix in ("device_", "eager_", ""):
            name = f"{prefix}{kind}_time"
            measured = "device" if prefix == "device_" else "eager"
            if f"{name}_s" not in record.values or clock not in (None, measured):
                continue
            if clock is None and measured == "eager" and stands_in(record):
                measured = "stand-in"
            values = record.values
            return Duration(values[f"{name}_s"], values.get(f"{name}_spread_s"), measured, kind)
    return None


def stands_in(record: Record) -> bool:
    """Whether the record is of a GPU step that could not be captured as a graph."""
    return record.env.get("cuda_graph") is False and record.env.get("device_type") == "cuda"
