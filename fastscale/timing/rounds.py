"""Rounds of steps: times of one network's step on one clock, and whether they are consistent."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from fastscale.timing.clock import spread
from fastscale.timing.disturbance import CALM, LEAST_ROUNDS, Waiting, disturbed
from fastscale.timing.step import Step

# Warm-up steps: at least the first number, up to the second while they take less than WARMUP_S
# together. On a GPU the first ones choose cuDNN's kernels, grow the memory pool and raise the
# clock. Compiling happens in the first step on every device.
WARMUP_STEPS = {"cpu": (2, 2), "cuda": (3, 10)}
WARMUP_S = 0.3


@dataclass(frozen=True)
class Rounds:
    """Seconds a step in each round of `steps` steps; `parts`: medians of a step's parts.

    `disturbed`: why the rounds are inconsistent, or None.
    """

    seconds: tuple[float, ...]
    steps: int
    parts: dict[str, float] = field(default_factory=dict)
    disturbed: str | None = None

    @property
    def median_s(self) -> float:
        """Median seconds a step over the rounds."""
        return statistics.median(self.seconds)

    @property
    def spread_s(self) -> float:
        """Half the interquartile range."""
        return spread(self.seconds)


class Timed:
    """A warm step, timed in rounds of about `round_s` seconds.

    Rounds are eager or, after `record`, replayed. `first_s`: seconds of its first step; `took_s`:
    seconds of all rounds so far.
    """

    def __init__(self, step: Step, round_s: float):
        self.step, self.round_s = step, round_s
        self.one: Callable[[int], dict[str, float]] = step.round
        self.first_s = step.round(1)[step.whole]
        self.warmup, last_s = warm_up(step, done=1)
        self.count = max(1, round(round_s / last_s))
        self.found: list[dict[str, float]] = []
        self.took_s = 0.0

    def record(self) -> None:
        """Captures the step: later rounds are device time. RuntimeError if that fails."""
        replay = self.step.replayed()
        self.one = lambda steps: self.step.replayed_round(replay, steps)
        self.count = max(1, round(self.round_s / self.one(2)[self.step.whole]))

    def round(self) -> None:
        """Measures one more round."""
        self.found.append(self.one(self.count))
        self.took_s += self.count * self.found[-1][self.step.whole]

    @property
    def seconds(self) -> list[float]:
        """Seconds a step, by round."""
        return [found[self.step.whole] for found in self.found]

    def calm(self) -> bool:
        """Whether more rounds would add nothing."""
        seconds = self.seconds
        if len(seconds) < LEAST_ROUNDS:
            return False
        return spread(seconds) <= CALM * statistics.median(seconds)

    def rounds(self, why: str | None) -> Rounds:
        """The rounds so far, with the reason if disturbed; the next rounds start a new series."""
        first = self.found[0]
        parts = {
            part: statistics.median(found[part] for found in self.found)
            for part in self.step.parts
            if part in first
        }
        made = Rounds(tuple(self.seconds), self.count, parts, why)
        self.found = []
        return made


def warm_up(step: Step, done: int = 0) -> tuple[int, float]:
    """Warms up, with `done` steps already made: (steps in all, seconds of the last)."""
    least, most = WARMUP_STEPS[step.device.type]
    taken = last = 0.0
    while done < least or (done < most and taken < WARMUP_S):
        last = step.round(1)[step.whole]
        taken, done = taken + last, done + 1
    return done, last


def measured_together(
    timed: Sequence[Timed],
    rounds: int,
    *,
    replayed: bool = False,
    again: bool = True,
    progress: Callable[[], object] = lambda: None,
) -> list[Rounds]:
    """Interleaved rounds of each step, so that drift affects all equally.

    `replayed`: replayed graphs, which end before `rounds` once all are calm. `again`: measure a
    disturbed series a second time and keep the calmer one.
    """
    series: list[list[Rounds]] = []
    for _ in range(1 + again):
        waiting = Waiting(torch.get_num_threads())
        for _ in range(rounds):
            if replayed and all(t.calm() for t in timed):
                break
            for t in timed:
                t.round()
                progress()
        # a GPU keeps working while the host waits
        on_gpu = any(t.step.clock.on_gpu for t in timed)
        waited = 0.0 if on_gpu or replayed else waiting.share()
        series.append([t.rounds(disturbed(t.seconds, waited, replayed)) for t in timed])
        if not any(r.disturbed for r in series[-1]):
            break
    return min(reversed(series), key=lambda found: sum(bool(r.disturbed) for r in found))
