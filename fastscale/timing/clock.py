"""The clock of a device: CUDA events on a GPU, since the host runs ahead; else the host's clock."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch


class Clock:
    """`mark()` notes a moment in the device's queue; `seconds(a, b)` is the time between two."""

    def __init__(self, device: torch.device):
        self.on_gpu = device.type == "cuda"

    def mark(self) -> Any:
        """The current moment; on a GPU, when all work queued so far is done, without waiting."""
        if not self.on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, start: Any, end: Any) -> float:
        """Seconds from one mark to a later one, which it waits for."""
        if not self.on_gpu:
            return end - start
        end.synchronize()
        return start.elapsed_time(end) / 1e3


def spread(values: Sequence[float]) -> float:
    """Half the interquartile range; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2
