"""Lightning's loop around one batch, with the step as one CUDA graph where that is possible.

It replaces Lightning's automatic optimization and moves the same counters in the same order, so
global step, callbacks, loggers, checkpoints and resuming work as before. A graph cannot call hooks
within a step, such as `on_after_backward`; a callback that has one gets Lightning's own step.
"""

from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loops.optimization.automatic import _AutomaticOptimization
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor

from fastscale.errors import InputError, RunError
from fastscale.training.captured import CapturedStep, StepParts
from fastscale.training.classifier import ImageClassifier
from fastscale.training.mixup import apply_mix
from fastscale.training.out_of_memory import out_of_memory
from fastscale.training.recipe import PRECISIONS

MODES = ("auto", "on", "off")  # of --cuda-graph
WITHIN = (
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def why_not(trainer: Trainer, module: ImageClassifier) -> str:
    """Why this run's step cannot be a CUDA graph, in words; "" if it can be one on a GPU."""
    hooked = [
        type(c).__name__
        for c in trainer.callbacks  # type: ignore[attr-defined]
        if any(is_overridden(name, c, Callback) for name in WITHIN)
    ]
    reasons = {
        "several processes train together": trainer.world_size > 1
        or not isinstance(trainer.strategy, SingleDeviceStrategy),
        "drop path draws within the step": module.recipe.drop_path > 0,
        "the network is compiled": module.recipe.compile,
        f"precision {trainer.precision}": trainer.precision not in PRECISIONS,
        "detect_anomaly reads every gradient": trainer._detect_anomaly,
        f"the callback {', '.join(hooked)} looks into the step": bool(hooked),
    }
    return next((text for text, holds in reasons.items() if holds), "")


class StepLoop(_AutomaticOptimization):
    """`mode` auto: a graph if possible, else one line that says why not. on: InputError if not
    possible; on a CPU the graph's code, uncaptured. off: Lightning's step.

    It derives from Lightning's private class because no public way keeps its counters and replaces
    the step. `used`, for the record: captured, uncaptured, off, or None (on a CPU, not asked for).
    """

    def __init__(self, trainer: Trainer, module: ImageClassifier, mode: str = "auto"):
        super().__init__(trainer)
        on_gpu = trainer.strategy.root_device.type == "cuda"
        reason = why_not(trainer, module)
        if mode == "on" and reason:
            raise InputError(f"--cuda-graph on: the step cannot be one CUDA graph ({reason})")
        self.mode = mode
        self.captured = not reason and (mode == "on" or (mode == "auto" and on_gpu))
        self.used: str | None = "off" if on_gpu else None
        if self.captured:
            self.used = "captured" if on_gpu else "uncaptured"
        if on_gpu and mode == "auto" and reason:
            self.say(reason)
        self.step: CapturedStep | None = None

    def say(self, reason: str) -> None:
        """Prints why the step is not a graph."""
        if self.trainer.is_global_zero:
            print(f"the step is launched eagerly, not as a CUDA graph: {reason}", flush=True)

    def run(self, optimizer: Any, batch_idx: int, kwargs: Any) -> dict[str, Any]:
        """Runs one batch: a step, or a part of one; returns its loss as Lightning does."""
        self.module.keep_pace()
        images, labels = kwargs["batch"]
        outputs = None
        if self.captured and (step := self._ready(optimizer, batch_idx, images, labels)):
            outputs = {"loss": self._run(step, batch_idx, images, labels)}
        return outputs or super().run(optimizer, batch_idx, kwargs)

    def _run(self, step: CapturedStep, batch_idx: int, images: Tensor, labels: Tensor) -> Tensor:
        trainer, module = self.trainer, self.module
        part = batch_idx % trainer.accumulate_grad_batches
        images, share = apply_mix(images, module.begin_part(batch_idx))
        progress = self.optim_progress.optimizer
        if part == 0:
            progress.zero_grad.increment_ready()
            progress.zero_grad.increment_started()
            progress.zero_grad.increment_completed()
        stepping = part == trainer.accumulate_grad_batches - 1
        if stepping:
            progress.step.increment_ready()
        loss = step(images, labels, share, part)
        if stepping:
            weight = module.due_average(trainer.current_epoch, batch_idx)
            if weight is not None:
                step.average(weight)
            progress.step.increment_completed()
        return loss

    @property
    def module(self) -> ImageClassifier:
        """The module in training."""
        module = self.trainer.lightning_module
        assert isinstance(module, ImageClassifier)
        return module

    def _ready(
        self, optimizer: Any, batch_idx: int, images: Tensor, labels: Tensor
    ) -> CapturedStep | None:
        """The recorded step for this batch; if recording fails, None from then on."""
        if self.step is None:
            self.step = self._make(optimizer)
        step, metric = self.step, self.module.train_loss
        # an epoch's end and a checkpoint put new tensors there, but the graph adds to its own
        for name, own in (("mean_value", step.parts.loss_sum), ("weight", step.parts.loss_count)):
            if getattr(metric, name) is not own:
                own.copy_(getattr(metric, name))
                setattr(metric, name, own)
        if batch_idx == 0:
            step.check_place()
        if batch_idx % self.trainer.accumulate_grad_batches:
            return step
        try:
            step.prepare(images, labels)
        except RuntimeError as error:
            text = f"{error!s:.200}".split("\n")[0]
            reason = "too little memory for it" if out_of_memory(error) else text
            if self.mode == "on":
                raise RunError(f"--cuda-graph on: no graph of the step ({reason})") from error
            self.say(reason)
            self.captured, self.used, self.step = False, "off", None
            torch.cuda.empty_cache()
            return None
        return step

    def _make(self, optimizer: Any) -> CapturedStep:
        trainer, module = self.trainer, self.module
        precision: Any = trainer.precision_plugin
        parts = StepParts(
            net=module.net,
            criterion=module.criterion,
            optimizer=optimizer,
            loss_sum=torch.zeros((), device=module.device),
            loss_count=torch.zeros((), device=module.device),
            accumulate=trainer.accumulate_grad_batches,
            mixed=module.recipe.mixup > 0 or module.recipe.cutmix > 0,
            clip=trainer.gradient_clip_val or 0.0,
            clip_by=str(getattr(trainer.gradient_clip_algorithm, "value", "norm")),
            scaler=getattr(precision, "scaler", None),
            autocast=precision.train_step_context,
        )
        return CapturedStep(parts, module.ema, capture=self.used == "captured")
