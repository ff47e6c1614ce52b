"""Whether something else was at work while steps were timed: told by the rounds themselves and,
on Linux, by how long this process had to wait for a processor."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from fastscale.records.environment import cores
from fastscale.timing.clock import spread
from fastscale.timing.drift import DRIFT_BOUND, steady

SPREAD_BOUND = 0.1  # half the distance of the quartiles, of the median
CALM = 0.002  # the same, of replayed graphs: more rounds tell nothing more
REPLAYED_BOUND = 0.02  # of them: beyond it something else was at work on the GPU
REPLAYED_DRIFT = 1.03
WAIT_BOUND = 0.1  # of the time that this process's threads could have run
LEAST_ROUNDS = 3  # fewer tell nothing of a spread
_TASKS = Path("/proc/self/task")


class Waiting:
    """How long this process's threads wait for a processor from here on."""

    def __init__(self, threads: int):
        self.threads, self.began, self.before = threads, time.monotonic(), _waited_s()

    def share(self) -> float:
        """Of the time since, what each of `threads` waited; 0 where the system does not tell, or
        where there are more threads than cores, which wait for each other."""
        now, took = _waited_s(), time.monotonic() - self.began
        if self.before is None or now is None or self.threads > cores() or took <= 0:
            return 0.0
        return max(0.0, now - self.before) / took / self.threads


def disturbed(rounds: Sequence[float], waited: float = 0.0, replayed: bool = False) -> str | None:
    """Why times of one step, round by round, do not go together; None where they do.

    `replayed`: they are a GPU's own, of a graph, which hardly differ.

    >>> disturbed([1.0, 1.01, 0.99, 1.0]), disturbed([1.0, 1.0, 1.4, 1.6])
    (None, 'spread 19 %, last round 1.60 x the first')
    """
    said = []
    if len(rounds) >= LEAST_ROUNDS:
        relative = spread(rounds) / statistics.median(rounds)
        most, off = (REPLAYED_BOUND, REPLAYED_DRIFT) if replayed else (SPREAD_BOUND, DRIFT_BOUND)
        said += [f"spread {100 * relative:.0f} %"] if relative > most else []
        drift = rounds[-1] / rounds[0]
        said += [] if steady(drift, off) else [f"last round {drift:.2f} x the first"]
    if waited > WAIT_BOUND:
        said.append(f"waited {100 * waited:.0f} % of the time for a processor")
    return ", ".join(said) or None


def _waited_s() -> float | None:
    """Seconds that the threads of this process have waited so far, ready to run."""
    try:
        waits = [int((t / "schedstat").read_text().split()[1]) for t in _TASKS.iterdir()]
    except (OSError, ValueError, IndexError):
        return None
    return sum(waits) / 1e9
