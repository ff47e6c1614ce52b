"""Networks measured interleaved in one process.

On a GPU each is timed eagerly first, then as one replayed CUDA graph. The graph is captured after
the eager steps have freed their memory, so that both together need no more than one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.timing.grid import CUDNN
from fastscale.timing.memory import PeakMemory, check_headroom, fitting_batch
from fastscale.timing.rounds import Rounds, Timed, measured_together
from fastscale.timing.step import Step, TrainingStep
from fastscale.training.out_of_memory import out_of_memory
from fastscale.training.recipe import Recipe

Progress = Callable[[int, int], object]
# torch keeps a few compiled shapes of one function, and each network is one: later networks would
# run eagerly while the record says compiled
COMPILED_ALONE = (
    "compiled networks cannot be measured interleaved in one process: "
    "give --separate, or one network"
)


@dataclass(frozen=True)
class StepTime:
    """A step's rounds, eager and, on a GPU, replayed; `batch` is the one that fitted in memory.

    `no_graph`: on a GPU, why the step could not be captured. `drift`: the first network's last
    round over its first. `peak_memory_mib`: of eager steps, None if unknown. `first_s`: seconds of
    the first step, which chooses and compiles kernels. `took_s`: seconds of all rounds.
    """

    eager: Rounds
    device: Rounds | None
    batch: int
    warmup: int
    first_s: float = 0.0
    peak_memory_mib: float | None = None
    drift: float = 1.0
    no_graph: str | None = None
    took_s: float = 0.0

    @property
    def answer(self) -> Rounds:
        """Device time, or eager time without one."""
        return self.device or self.eager

    @property
    def median_s(self) -> float:
        """Seconds a step."""
        return self.answer.median_s


def time_steps(
    archs: Sequence[Arch],
    recipe: Recipe,
    *,
    num_classes: int,
    device: str = "cpu",
    kind: type[Step] = TrainingStep,
    **options: Any,
) -> dict[str, StepTime]:
    """Step time of each network by name, on dummy images; `options`: see `interleaved`."""

    def maker(arch: Arch) -> Callable[[int], Step]:
        return lambda size: kind(arch, recipe, size, num_classes, device)

    return interleaved({arch.name: maker(arch) for arch in archs}, device=device, **options)


def interleaved(
    makers: Mapping[str, Callable[[int], Step]],
    *,
    batch: int,
    device: str,
    rounds: int = 5,
    round_s: float = 0.5,
    cudnn: str = "heuristics",
    graph: bool = True,
    progress: Progress = lambda done, total: None,
) -> dict[str, StepTime]:
    """Times the step that each maker builds for a batch, in interleaved rounds.

    There are `rounds` rounds of about `round_s` seconds, on a GPU with both clocks (without `graph`
    only eager). `progress(done, total)` is called after each round. The batch is halved until the
    first step, the measured ones and the graph fit in memory with headroom. InputError for several
    compiled networks, or several that do not fit in memory together.
    """
    if torch.device(device).index is not None:
        torch.cuda.set_device(device)
    attempt = partial(_measured, makers, device, rounds, round_s, graph, progress)
    with chosen_kernels(cudnn):
        if len(makers) == 1:
            return fitting_batch(batch, attempt)[1]
        try:
            return attempt(batch)
        except Exception as error:
            if not out_of_memory(error):
                raise
            raise InputError(
                f"{len(makers)} networks do not fit in memory together at batch {batch}: "
                "give --separate, or a smaller --batch"
            ) from None


@dataclass
class _Network:
    """A network while it is measured."""

    timed: Timed
    batch: int
    peak: float | None
    no_graph: str | None = None
    eager: Rounds | None = None
    device: Rounds | None = None


def _measured(
    makers: Mapping[str, Callable[[int], Step]],
    device: str,
    rounds: int,
    round_s: float,
    graph: bool,
    progress: Progress,
    batch: int,
) -> dict[str, StepTime]:
    """One attempt at a batch."""
    networks: dict[str, _Network] = {}
    ticks = iter(range(1, 1_000_000))

    def tick() -> None:
        total = len(makers) * (2 * rounds + 1 if replays else rounds + 1)
        progress(min(next(ticks), total), total)

    def ready(make: Callable[[int], Step], size: int) -> tuple[Timed, float | None]:
        peak = PeakMemory(torch.device(device))
        timed = Timed(make(size), round_s)
        peak.warmed_up()
        if timed.step.clock.on_gpu:
            timed.one(1)
        return timed, peak.mib()

    replays = False
    for name, make in makers.items():
        fitted, (timed, peak) = fitting_batch(batch, partial(ready, make))
        if timed.step.recipe.compile and len(makers) > 1:
            raise InputError(COMPILED_ALONE)
        replays = graph and timed.step.replays
        # on a CPU, memory freed by another network would count as this one's
        alone = timed.step.clock.on_gpu or len(makers) == 1
        networks[name] = _Network(timed, fitted, peak if alone else None)
        tick()
    every = list(networks.values())
    eager = measured_together([n.timed for n in every], rounds, again=not replays, progress=tick)
    for network, found in zip(every, eager, strict=True):
        network.eager = found
    if replays:
        recorded = [n for n in every if _record(n, device)]
        again = measured_together([n.timed for n in recorded], rounds, replayed=True, progress=tick)
        for network, found in zip(recorded, again, strict=True):
            network.device = found
    return _times(networks)


def _record(network: _Network, device: str) -> bool:
    """Captures the step as a graph; on failure returns False and keeps the reason.

    Out of memory is an error instead, for which the batch is halved.
    """
    try:
        network.timed.record()
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        network.no_graph = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return False
    if network.batch > 1:
        check_headroom(torch.device(device))
    return True


def _times(networks: Mapping[str, _Network]) -> dict[str, StepTime]:
    """The results; the drift is the first network's."""
    times: dict[str, StepTime] = {}
    drift = 0.0
    for name, n in networks.items():
        assert n.eager is not None
        seconds = (n.device or n.eager).seconds
        drift = drift or seconds[-1] / seconds[0]
        times[name] = StepTime(
            eager=n.eager,
            device=n.device,
            batch=n.batch,
            warmup=n.timed.warmup,
            first_s=n.timed.first_s,
            peak_memory_mib=n.peak,
            drift=drift,
            no_graph=n.no_graph,
            took_s=n.timed.took_s,
        )
    return times


@contextmanager
def chosen_kernels(cudnn: str) -> Iterator[None]:
    """Sets how cuDNN chooses its kernels within the block.

    "heuristics", or "search": it tries them for each shape in the warm-up, seconds a network.
    """
    if cudnn not in CUDNN:
        raise InputError(f"cudnn {cudnn!r}: there are {', '.join(CUDNN)}")
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = cudnn == "search"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
