"""Several networks measured in turns, so that drift hits all alike; a single one is the case of one turn."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.timing.clock import spread
from fastscale.timing.disturbance import Waiting, disturbed
from fastscale.timing.memory import PeakMemory, fitting_batch
from fastscale.timing.step import Step, TrainingStep
from fastscale.training.recipe import Recipe

Progress = Callable[[int, int], object]
# Steps of warm-up: at least the first number, and up to the second while they take less than a second together. On a GPU the first ones
# choose cuDNN's kernels, grow the memory pool and raise the clock; compiling happens in the very first everywhere.
WARMUP_STEPS = {"cpu": (2, 2), "cuda": (3, 10)}
# torch keeps a few compiled shapes of one function, and every network is one: the next ones would run eagerly and be called compiled
COMPILED_ALONE = (
    "compiled networks cannot be measured in turns in one process: give --separate, or one network"
)


@dataclass(frozen=True)
class StepTime:
    """Seconds a step: the median of `rounds` rounds, and the spread (half the distance of the quartiles) between them.

    `batch` is what fitted in memory; `drift` the first network's last round over its first; `peak_memory_mib` None where not known.
    """

    median_s: float
    spread_s: float
    rounds: int
    steps: int  # a round's
    batch: int = 0
    warmup: int = 0
    parts: dict[str, float] = field(default_factory=dict)  # medians, by their names in a record
    peak_memory_mib: float | None = None
    drift: float = 1.0
    disturbed: str | None = None  # why the rounds do not go together, measured twice


def time_steps(
    archs: Sequence[Arch],
    recipe: Recipe,
    *,
    batch: int,
    num_classes: int,
    device: str = "cpu",
    rounds: int = 5,
    round_s: float = 0.5,
    kind: type[Step] = TrainingStep,
    progress: Progress = lambda done, total: None,
) -> dict[str, StepTime]:
    """Step time of each network by name. All are kept in memory and measured in turns; see `in_turns`. Dummy images, fixed labels."""

    def maker(arch: Arch) -> Callable[[int], Step]:
        return lambda size: kind(arch, recipe, size, num_classes, device)

    makers = {arch.name: maker(arch) for arch in archs}
    return in_turns(
        makers, batch=batch, device=device, rounds=rounds, round_s=round_s, progress=progress
    )


def in_turns(
    makers: Mapping[str, Callable[[int], Step]],
    *,
    batch: int,
    device: str,
    rounds: int,
    round_s: float = 0.5,
    progress: Progress = lambda done, total: None,
) -> dict[str, StepTime]:
    """The time of the step that each maker builds for a batch, measured `rounds` times about `round_s` seconds each, one after another.

    `progress(done, total)` is called after each measurement. Warm-up steps are not timed. A batch that does not fit in memory is halved
    until it does.
    """
    made: Made = {}
    total = len(makers) * (rounds + 1)

    def ready(make: Callable[[int], Step], size: int) -> tuple[Step, int, int, float | None]:
        peak = PeakMemory(torch.device(device))
        step = make(size)
        warmup = warm_up(step)
        peak.warmed_up()
        count = max(1, round(round_s / step.round(1)[step.whole]))
        return step, warmup, count, peak.mib()

    if torch.device(device).index is not None:
        torch.cuda.set_device(device)
    with benchmarked_kernels():
        for i, (name, make) in enumerate(makers.items()):
            fitted, (step, warmup, count, peak) = fitting_batch(batch, partial(ready, make))
            if step.recipe.compile and len(makers) > 1:
                raise InputError(COMPILED_ALONE)
            # another network's freed memory would be counted as this one's by a process, not by a GPU's allocator
            made[name] = (
                step,
                warmup,
                count,
                fitted,
                peak if step.clock.on_gpu or len(makers) == 1 else None,
            )
            progress(i + 1, total)
        measure = partial(_rounds, made, rounds, total, progress)
        found, why = measure()
        if any(why.values()):  # something else was at work: once more, and what is calmer stands
            again, why_again = measure()
            if sum(map(bool, why_again.values())) <= sum(map(bool, why.values())):
                found, why = again, why_again
    whole = {name: [seconds[made[name][0].whole] for seconds in found[name]] for name in made}
    first = next(iter(whole.values()), [])
    drift = first[-1] / first[0] if first else 1.0
    times = {}
    for name, (step, warmup, count, fitted, peak) in made.items():
        parts = {
            part: statistics.median(seconds[part] for seconds in found[name]) for part in step.parts
        }
        median = statistics.median(whole[name])
        times[name] = StepTime(
            median,
            spread(whole[name]),
            rounds,
            count,
            fitted,
            warmup,
            parts,
            peak,
            drift,
            why[name],
        )
    return times


Made = dict[str, tuple[Step, int, int, int, float | None]]


def _rounds(
    made: Made, rounds: int, total: int, progress: Progress
) -> tuple[dict[str, list[dict[str, float]]], dict[str, str | None]]:
    """Every network's rounds, in turns, and for each why they do not go together, if they do not."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in made}
    waiting = Waiting(torch.get_num_threads())
    for r in range(rounds):
        for i, (name, (step, _, count, _, _)) in enumerate(made.items()):
            found[name].append(step.round(count))
            progress((r + 1) * len(made) + i + 1, total)
    # a GPU works on while the host waits
    waited = 0.0 if any(step.clock.on_gpu for step, *_ in made.values()) else waiting.share()
    whole = {name: [s[made[name][0].whole] for s in found[name]] for name in made}
    return found, {name: disturbed(seconds, waited) for name, seconds in whole.items()}


def warm_up(step: Step) -> int:
    """Steps outside the clock, and how many there were."""
    done, most = WARMUP_STEPS[step.device.type]
    taken = step.round(done)[step.whole] * done
    while done < most and taken < 1:
        taken += step.round(1)[step.whole]
        done += 1
    return done


class benchmarked_kernels:
    """cuDNN tries its kernels for each shape in the warm-up and keeps the fastest, as in training; put back afterwards."""

    def __enter__(self) -> None:
        self.before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True

    def __exit__(self, *error: object) -> None:
        torch.backends.cudnn.benchmark = self.before
