"""The lines that a run prints: what it trains, how long it will take, each epoch, and the end."""

import math
import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from fastscale.common import duration, pluralize
from fastscale.counts import complexity
from fastscale.training.monitor import DEVICE_SHARE, SpeedMonitor

MEASURED = 3.0  # seconds of steps, at least, before the run's time is estimated
FEWEST = 5  # steps, at least
FORWARD = 1 / 3  # time of a validation batch relative to a training step


class Lines(Checkpoint):
    """Estimates the run's time from its first steps, then prints a line an epoch.

    It is a `Checkpoint` because Lightning calls those last, when the module has the epoch's loss.
    """

    def __init__(self, speed: SpeedMonitor):
        self.speed = speed
        self.epoch_began = self.first_step = math.nan
        self.steps = 0  # since `first_step`
        self.told, self.whole = False, True
        self.taken: list[float] = []  # seconds of each epoch that this process ran completely

    def now(self) -> float:
        """Seconds of a clock that leaves out the pauses of training."""
        return time.perf_counter() - self.speed.lost

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.epoch_began = self.now()
        self.whole = not trainer.fit_loop.restarting

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Prints the estimate as soon as enough steps are measured."""
        if self.told:
            return
        now = self.now()
        if math.isnan(self.first_step):  # not counted: it prepares what the others use
            self.first_step = now
            return
        self.steps += 1
        if now - self.first_step >= MEASURED and self.steps >= FEWEST:
            self.tell(trainer, pl_module, (now - self.first_step) / self.steps, batch_idx + 1)

    def tell(
        self, trainer: pl.Trainer, module: pl.LightningModule, step: float, batches: int
    ) -> None:
        """Prints the time that is left; `step`: seconds a batch, `batches`: done in this epoch."""
        self.told = True
        recipe: Any = getattr(module, "recipe")  # noqa: B009  (a LightningModule has none)
        epochs = (trainer.max_epochs or 1) - trainer.current_epoch
        validations = epochs / (trainer.check_val_every_n_epoch or 1)
        nets = 2 if recipe.ema_rate else 1
        validated = sum(map(int, trainer.num_val_batches)) * validations * nets * FORWARD
        left = (epochs * trainer.num_training_batches - batches + validated) * step
        say(
            trainer,
            f"about {duration(left)} to go: {1000 * step:.0f} ms a step in the first {self.steps}",
        )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the epoch's clock; Lightning does not call this for a resumed epoch."""
        self.epoch_began, self.whole = self.now(), True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prints the epoch's line."""
        took = self.now() - self.epoch_began
        if self.whole:
            self.taken.append(took)
        module: Any = pl_module
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 1
        parts = []
        if module.epoch_loss is not None:
            parts.append(f"loss {module.epoch_loss:.3f}")
        if module.errors and module.measured_at == trainer.global_step:
            parts.append(describe_errors(module.errors))
        if self.speed.epochs:
            speed = self.speed.epochs[-1]
            parts.append(f"{speed['images_per_s']:,.0f} images/s")
            if DEVICE_SHARE in speed:
                parts.append(f"device busy {share(speed[DEVICE_SHARE])}")
        parts.append(duration(took))
        line = f"epoch {epoch}/{epochs}: {', '.join(parts)}"
        if epoch < epochs and self.taken:
            recent = self.taken[-5:]
            line += f"; {duration((epochs - epoch) * sum(recent) / len(recent))} to go"
        self.told = True
        say(trainer, line)


def say(trainer: pl.Trainer, line: str) -> None:
    """Prints a line on stdout, above the bar if there is one; one process of several does so."""
    if not trainer.is_global_zero:
        return
    bar: Any = trainer.progress_bar_callback
    if bar is not None and hasattr(bar, "clear"):
        bar.clear()
    print(line, flush=True)


def describe_errors(errors: dict[str, float]) -> str:
    """`top-1 error 34.50 % (averaged weights 33.10 %)`"""
    parts = []
    for top in ("top1", "top5"):
        if (raw := errors.get(f"{top}_error")) is not None:
            averaged = errors.get(f"{top}_error_ema")
            other = "" if averaged is None else f" (averaged weights {averaged:.2f} %)"
            parts.append(f"{top[:3]}-{top[3:]} error {raw:.2f} %{other}")
    return ", ".join(parts)


def share(part: float) -> str:
    """A share in percent, at most 100.

    >>> share(0.934), share(1.02)
    ('93 %', '100 %')
    """
    return f"{100 * min(1.0, part):.0f} %"


def beginning(trainer: pl.Trainer, module: Any, data: Any, steps: int, folder: Path) -> str:
    """Two lines: the network and its data; the recipe, the device and the run's folder."""
    arch, recipe = module.arch, module.recipe
    counts = complexity(arch, num_classes=module.num_classes)
    root, world = trainer.strategy.root_device, trainer.world_size
    if root.type == "cuda":
        place = torch.cuda.get_device_name(root)
    else:
        place = f"the CPU, {pluralize(torch.get_num_threads(), 'thread')}"
    if world > 1:
        place += f", {world} processes"
    sizes = f"{data.train_size:,} training and {data.val_size:,} validation images"
    return (
        f"{arch.name} ({amount(counts.flops)} multiply-adds, {amount(counts.params)} params, "
        f"{arch.resolution} px) on {data.data_name} ({sizes}, {module.num_classes} classes)\n"
        f"{recipe.name}: {pluralize(recipe.epochs, 'epoch')} of {pluralize(steps, 'step')} of "
        f"{pluralize(recipe.batch_size, 'image')}, {trainer.precision}, "
        f"on {place}; saved in {folder} from the first step on"
    )


def amount(count: int) -> str:
    """A count in three significant figures.

    >>> amount(397_000_000), amount(26_500), amount(4_010_000_000)
    ('397 M', '26.5 K', '4.01 G')
    """
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def ending(folder: Path) -> str:
    """What a finished run's folder holds, and the next commands."""
    at = os.fspath(folder)
    return (
        f"{at} holds last.ckpt (the weights), record.json, config.yaml and TensorBoard's events; "
        "next:\n"
        f"  fastscale evaluate {at}\n"
        f"  fastscale predict PICTURE --checkpoint {at}\n"
        f"  fastscale export {at} network.onnx"
    )
