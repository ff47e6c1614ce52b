"""How long a GPU works on training steps, by its own events: read when they have passed, never
waited for within an epoch.

A step that is a CUDA graph runs without gaps, so its events say how long the device works. A step
that the host launches piece by piece may leave the device idle between two pieces, which the events
around it cannot see. So one such step of an epoch is held back on the device until the host has
launched all of it; what it takes then is taken for all of them.
"""

import time
from collections import deque
from typing import Any

import torch

HELD_BACK = 10  # which batch of an epoch
LONGER = 1.5  # than the launch before: so long is the step held back
CLOCK = 2e9  # cycles a second of a GPU, at most


class DeviceMeter:
    """`begin()` and `end()` around every step; `busy()` in seconds of those that are over."""

    def __init__(self) -> None:
        self.under_way: deque[tuple[Any, Any, bool]] = deque()
        self.seconds, self.steps = 0.0, 0
        self.alone: float | None = None  # seconds of the step that was held back
        self.began = self.launch = 0.0
        self.start: Any = None
        self.held = False

    def begin(self, hold_back: bool = False) -> None:
        """Here the device begins with a step; `hold_back`: not before the host has launched it."""
        self.held = hold_back
        if hold_back:
            torch.cuda._sleep(int(self.launch * LONGER * CLOCK))
        self.start, self.began = self._mark(), time.perf_counter()

    def end(self) -> None:
        """Here it has done it."""
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
        """Seconds in which the device worked on the steps that are over."""
        self._read()
        return self.seconds if self.alone is None else min(self.seconds, self.alone * self.steps)
