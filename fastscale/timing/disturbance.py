"""Whether other work disturbed a timing.

The rounds show it by their spread and drift; on Linux, also the time this process waited for a CPU.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from fastscale.records.environment import cores
from fastscale.timing.clock import spread
from fastscale.timing.drift import DRIFT_BOUND, steady

SPREAD_BOUND = 0.1  # half the interquartile range over the median
CALM = 0.002  # the same for replayed graphs: below it, more rounds add nothing
REPLAYED_BOUND = 0.02  # for replayed graphs: above it, the GPU did other work
REPLAYED_DRIFT = 1.03
WAIT_BOUND = 0.1  # share of the time that this process's threads could have run
LEAST_ROUNDS = 3  # fewer have no meaningful spread
_TASKS = Path("/proc/self/task")


class Waiting:
    """How long this process's threads wait for a CPU from now on."""

    def __init__(self, threads: int):
        self.threads, self.began, self.before = threads, time.monotonic(), _waited_s()

    def share(self) -> float:
        """The share of the time since then that each of `threads` waited.

        0 if the system does not report it, or if threads outnumber cores and wait for each other.
        """
        now, took = _waited_s(), time.monotonic() - self.began
        if self.before is None or now is None or self.threads > cores() or took <= 0:
            return 0.0
        return max(0.0, now - self.before) / took / self.threads


def disturbed(rounds: Sequence[float], waited: float = 0.0, replayed: bool = False) -> str | None:
    """Why the rounds of one step are inconsistent; None if they are consistent.

    `replayed`: they are a GPU's replayed graphs, which have stricter bounds.

    >>> disturbed([1.0, 1.01, 0.99, 1.0]), disturbed([1.0, 1.0, 1.4, 1.6])
    (None, 'spread 19 %, last round 1.60 x the first')
    """
    reasons = []
    if len(rounds) >= LEAST_ROUNDS:
        relative = spread(rounds) / statistics.median(rounds)
        most, off = (REPLAYED_BOUND, REPLAYED_DRIFT) if replayed else (SPREAD_BOUND, DRIFT_BOUND)
        reasons += [f"spread {100 * relative:.0f} %"] if relative > most else []
        drift = rounds[-1] / rounds[0]
        reasons += [] if steady(drift, off) else [f"last round {drift:.2f} x the first"]
    if waited > WAIT_BOUND:
        reasons.append(f"waited {100 * waited:.0f} % of the time for a processor")
    return ", ".join(reasons) or None


def _waited_s() -> float | None:
    """Seconds that this process's threads have been ready to run but waiting."""
    try:
        waits = [int((t / "schedstat").read_text().split()[1]) for t in _TASKS.iterdir()]
    except (OSError, ValueError, IndexError):
        return None
    return sum(waits) / 1e9
