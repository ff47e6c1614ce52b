"""The step time of a record: of the device where it was measured, and else the eager one.

On a GPU a step is timed twice: replayed as one CUDA graph, which takes what the device needs
(`device_step_time_s`), and eagerly, with all its launches by the host (`eager_step_time_s`). On a
CPU there is the eager time alone. Where no graph could be captured (`env.cuda_graph` is false) the
eager time stands in for the device's. Older records hold `step_time_s`, which is eager.
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
    """Seconds of a training step or of a forward pass (`what`: step or inference), for
    `env.batch` images; `spread`: half the distance of the quartiles of its rounds, None where it
    is not known; `clock`: one of CLOCKS."""

    seconds: float
    spread: float | None
    clock: str
    what: str


def step_time(record: Record, what: str | None = None, clock: str | None = None) -> Duration | None:
    """The time that a record answers with; None where it holds none.

    `what`: step or inference; default: whichever the record holds. `clock`: device or eager, and
    no other; default: device time, and the eager time where there is none. InputError for another
    word.
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
    """Whether the record is of a device whose graph could not be captured."""
    return record.env.get("cuda_graph") is False and record.env.get("device_type") == "cuda"
