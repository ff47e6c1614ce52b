"""Waits for what another process or thread does."""

import time
from collections.abc import Callable
from typing import Any


def soon(condition: Callable[[], Any], seconds: float = 60) -> bool:
    """Whether the condition becomes true in time."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(met)


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Waits for a condition; AssertionError if it takes too long."""
    assert soon(condition, seconds), "it did not happen"
