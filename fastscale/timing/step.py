"""The timed steps of one network on dummy images: training, or a forward pass for inference."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from fastscale.archs import Arch
from fastscale.models import build
from fastscale.timing.clock import Clock
from fastscale.training.captured import (
    WARM_UP,
    CapturedStep,
    StepParts,
    recorded_graph,
    side_stream,
)
from fastscale.training.layout import memory_format, to_layout
from fastscale.training.optimizer import sgd, weight_decay
from fastscale.training.recipe import Recipe

DTYPES = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def autocast(precision: str, device: str) -> torch.autocast:
    """The precision's autocast context; casts are not cached, as in Lightning."""
    dtype = DTYPES.get(precision, torch.float32)
    return torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32, cache_enabled=False)


class Step:
    """One network and a batch of dummy images, in the recipe's precision, layout and compile."""

    whole = "step_time_s"  # the key of the whole step in `round`
    parts: tuple[str, ...] = ()

    def __init__(self, arch: Arch, recipe: Recipe, batch: int, num_classes: int, device: str):
        self.device, self.recipe = torch.device(device), recipe
        with self.device:  # a CPU takes seconds to initialise hundreds of millions of weights
            self.net = self.network(arch, num_classes)
        to_layout(self.net, recipe.layout)
        self.images = torch.randn(batch, 3, arch.resolution, arch.resolution, device=self.device)
        self.images = self.images.contiguous(memory_format=memory_format(recipe.layout))
        self.labels = torch.randint(num_classes, (batch,), device=self.device)
        self.clock = Clock(self.device)
        if recipe.compile:
            # torch ties compiled code to functions, which networks share: without a reset, this one
            # would run eagerly or with dynamic shapes
            torch._dynamo.reset()
            self.net.compile(dynamic=False)

    def network(self, arch: Arch, num_classes: int) -> nn.Module:
        """The network to time."""
        return build(arch, num_classes)

    def precision(self) -> torch.autocast:
        """The autocast context of the recipe's precision."""
        return autocast(self.recipe.precision, self.device.type)

    def __call__(self, mark: Callable[[], object] = lambda: None) -> None:
        """One step; `mark` is called at the end of each part but the last."""
        raise TypeError(f"{type(self).__name__} does not define a step")

    @property
    def replays(self) -> bool:
        """Whether a graph can be captured, which gives a device time beside the eager one."""
        return self.clock.on_gpu

    def replayed(self) -> Callable[[], object]:
        """Captures the step as one CUDA graph and returns the function that replays it.

        RuntimeError if it cannot be captured, OutOfMemoryError if memory does not suffice.
        """
        raise TypeError(f"{type(self).__name__} does not define how it is captured")

    def replayed_round(self, replay: Callable[[], object], steps: int) -> dict[str, float]:
        """Seconds a step over `steps` replays."""
        start = self.clock.mark()
        for _ in range(steps):
            replay()
        return {self.whole: self.clock.seconds(start, self.clock.mark()) / steps}

    def round(self, steps: int) -> dict[str, float]:
        """Seconds a step over `steps` steps: the whole and each part."""
        marks = [self.clock.mark()]
        for _ in range(steps):
            self(lambda: marks.append(self.clock.mark()))
            marks.append(self.clock.mark())
        found = {self.whole: self.clock.seconds(marks[0], marks[-1]) / steps}
        between = (
            [self.clock.seconds(a, b) for a, b in pairwise(marks)] if len(self.parts) > 1 else []
        )
        return found | {
            name: sum(between[i :: len(self.parts)]) / steps for i, name in enumerate(self.parts)
        }


class TrainingStep(Step):
    """Forward, backward, optimizer. Zeroing the gradients counts as part of the backward pass."""

    parts: tuple[str, ...] = ("forward_time_s", "backward_time_s", "optimizer_time_s")

    def __init__(self, arch: Arch, recipe: Recipe, batch: int, num_classes: int, device: str):
        super().__init__(arch, recipe, batch, num_classes, device)
        self.optimizer = sgd(self.net, recipe, weight_decay(recipe, arch))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "16-mixed")
        self.criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def __call__(self, mark: Callable[[], object] = lambda: None) -> None:
        """Forward, backward, optimizer."""
        with self.precision():
            loss = self.criterion(self.net(self.images), self.labels)
        mark()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        mark()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def captured_step(self) -> CapturedStep:
        """The step of `fit` on a GPU, with this network and optimizer; on a CPU not captured."""
        parts = StepParts(
            self.net,
            self.criterion,
            self.optimizer,
            loss_sum=torch.zeros((), device=self.device),
            loss_count=torch.zeros((), device=self.device),
            scaler=self.scaler if self.scaler.is_enabled() else None,
            autocast=self.precision,
        )
        return CapturedStep(parts, self.net, capture=self.device.type == "cuda")

    def replayed(self) -> Callable[[], object]:
        """See `Step`."""
        step = self.captured_step()
        step(self.images, self.labels)  # also fills in the learning rates
        return step.replay


class CapturedTrainingStep(TrainingStep):
    """The step of `fit` on a GPU: one replayed CUDA graph. On a CPU not captured."""

    parts = ()

    def __init__(self, arch: Arch, recipe: Recipe, batch: int, num_classes: int, device: str):
        super().__init__(arch, recipe, batch, num_classes, device)
        self.captured = self.captured_step()

    def __call__(self, mark: Callable[[], object] = lambda: None) -> None:
        """The whole step."""
        self.captured(self.images, self.labels)


class InferenceStep(Step):
    """A forward pass in eval mode, without gradients."""

    whole = "inference_time_s"

    def __init__(self, arch: Arch, recipe: Recipe, batch: int, num_classes: int, device: str):
        super().__init__(arch, recipe, batch, num_classes, device)
        self.net.eval().requires_grad_(False)

    def __call__(self, mark: Callable[[], object] = lambda: None) -> None:
        """Forward."""
        with torch.inference_mode(), self.precision():
            self.net(self.images)

    def replayed(self) -> Callable[[], object]:
        """See `Step`."""
        if self.device.type != "cuda":
            return self
        with side_stream(self.device):
            for _ in range(WARM_UP):
                self()
        with recorded_graph() as graph:
            self()
        return graph.replay
