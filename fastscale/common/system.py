"""What is asked of the operating system."""

import os
import signal
import sys


def die_with_parent(sign: int = signal.SIGTERM) -> None:
    """Called in a child process: on Linux, the signal reaches it when its parent is gone, however it went."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, sign)  # PR_SET_PDEATHSIG


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a command in order: Ctrl-C, SIGTERM, and SIGHUP of a terminal that was
    closed, unless `nohup` has that ignored."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if nohup else (signal.SIGHUP,)))


def leave_signals_to_parent() -> None:
    """Called in a worker process: what a terminal sends to all of them at once is not for it; its
    parent ends it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def cores() -> int:
    """Processor cores that this process may use: in a container often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
