"""Time of a training step on dummy data: forward, backward, optimizer; several networks measured in turns, so that drift hits all alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from fastscale.archs import Arch
from fastscale.models import build
from fastscale.training.layout import memory_format, to_layout
from fastscale.training.optimizer import sgd, weight_decay
from fastscale.training.recipe import Recipe

WARMUP_STEPS = 2


@dataclass(frozen=True)
class StepTime:
    """Seconds a step: the median of `rounds` rounds, and the spread (half the distance of the quartiles) between them."""

    median_s: float
    spread_s: float
    rounds: int
    steps: int  # a round's


class TrainingStep:
    """One network with its optimizer and a batch of dummy images, ready to be stepped."""

    def __init__(self, arch: Arch, recipe: Recipe, batch: int, num_classes: int, device: str):
        self.device, self.precision = torch.device(device), recipe.precision
        form = memory_format(recipe.layout)
        self.net = build(arch, num_classes).to(self.device)
        to_layout(self.net, recipe.layout)
        self.optimizer = sgd(self.net, recipe, weight_decay(recipe, arch))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "16-mixed")
        self.images = torch.randn(batch, 3, arch.resolution, arch.resolution, device=self.device).contiguous(memory_format=form)
        self.labels = torch.randint(num_classes, (batch,), device=self.device)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        if recipe.compile:
            self.net.compile()

    def __call__(self) -> None:
        """Forward, backward, optimizer."""
        dtype = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}.get(self.precision, torch.float32)
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            loss = self.criterion(self.net(self.images), self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def seconds(self, steps: int) -> float:
        """Seconds a step over `steps` steps; on a GPU by its own events."""
        if self.device.type == "cuda":
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            for _ in range(steps):
                self()
            end.record()
            end.synchronize()
            return start.elapsed_time(end) / 1e3 / steps
        began = time.perf_counter()
        for _ in range(steps):
            self()
        return (time.perf_counter() - began) / steps


def time_steps(
    archs: Sequence[Arch],
    recipe: Recipe,
    *,
    batch: int,
    num_classes: int,
    device: str = "cpu",
    rounds: int = 5,
    round_s: float = 0.5,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, StepTime]:
    """Step time of each network by name. All are kept in memory and measured in turns, `rounds` times about `round_s` seconds each.

    `progress(done, total)` is called after each measurement. Dummy images, fixed labels; warm-up steps are not timed.
    """
    steps = {arch.name: TrainingStep(arch, recipe, batch, num_classes, device) for arch in archs}
    count: dict[str, int] = {}
    total = len(steps) * (rounds + 1)
    for i, (name, step) in enumerate(steps.items()):
        step.seconds(WARMUP_STEPS)
        count[name] = max(1, round(round_s / step.seconds(1)))
        progress(i + 1, total)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for r in range(rounds):
        for i, (name, step) in enumerate(steps.items()):
            seconds[name].append(step.seconds(count[name]))
            progress((r + 1) * len(steps) + i + 1, total)
    return {name: StepTime(statistics.median(s), spread(s), rounds, count[name]) for name, s in seconds.items()}


def spread(values: Sequence[float]) -> float:
    """Half the distance of the quartiles; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2
