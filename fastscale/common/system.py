"""What is asked of the operating system."""

import os
import signal
import sys


def die_with_parent(sign: int = signal.SIGTERM) -> None:
    """Called in a child process: on Linux, the signal reaches it when its parent is gone, however it went."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, sign)  # PR_SET_PDEATHSIG


def cores() -> int:
    """Processor cores that this process may use: in a container often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
