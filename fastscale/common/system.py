"""Signals and cores: requests to the operating system."""

import os
import signal
import sys


def die_with_parent(sign: int = signal.SIGTERM) -> None:
    """For child processes: on Linux, they get this signal when their parent ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, sign)  # PR_SET_PDEATHSIG


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a command cleanly: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (a closed
    terminal) unless `nohup` ignores it."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if nohup else (signal.SIGHUP,)))


def leave_signals_to_parent() -> None:
    """For worker processes: ignores signals that a terminal sends to all processes; the parent ends
    its workers itself."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def cores() -> int:
    """Processor cores that this process may use; in a container often fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
