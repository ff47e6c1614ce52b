"""Measures how long a GPU works on training steps, by CUDA events that are never waited for.

A step that is a CUDA graph runs without gaps, so the events around it give the device time. A step
launched kernel by kernel may leave the device idle in between, which events cannot see. So one
such step of each epoch is held back on the device until the host has launched all of it, and its
time stands for all steps.
"""

import time
from collections import deque
from typing import Any

import torch

HELD_BACK = 10  # the batch of an epoch that is held back
LONGER = 1.5  # it is held back this many times as long as the last launch took
CLOCK = 2e9  # cycles a second of a GPU, at most


class DeviceMeter:
    """Call `begin()` and `end()` around every step; `busy()` sums the steps that are over."""

    def __init__(self) -> None:
        self.under_way: deque[tuple[Any, Any, bool]] = deque()
        self.seconds, self.steps = 0.0, 0
        self.alone: float | None = None  # seconds of the step that was held back
        self.began = self.launch = 0.0
        self.start: Any = None
        self.held = False

    def begin(self, hold_back: bool = False) -> None:
        """Marks the start of a step; `hold_back`: the device waits until all of it is launched."""
        self.held = hold_back
        if hold_back:
            torch.cuda._sleep(int(self.launch * LONGER * CLOCK))
        self.start, self.began = self._mark(), time.perf_counter()

    def end(self) -> None:
        """Marks the end of a step."""
        if self.start is not None:
            self.launch = time.perf_counter() - self.began
            self.under_way.append((self.start, self._mark(), self.held))
            self.start = None
            self._read()

    @staticmethod
    def _mark() -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _read(self) -> None:
        while self.under_way and self.under_way[0][1].query():
            start, end, held = self.under_way.popleft()
            seconds = start.elapsed_time(end) / 1e3
            self.seconds += seconds
            self.steps += 1
            if held:
                self.alone = seconds

    def busy(self) -> float:
        """Seconds that the device worked on the steps that are over."""
        self._read()
        return self.seconds if self.alone is None else min(self.seconds, self.alone * self.steps)
