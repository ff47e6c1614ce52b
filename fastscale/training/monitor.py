"""What a run measures and shows: speed, wait for data, busy device, and TensorBoard's extras."""

import math
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

from fastscale.archs.names import NetworkName
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.training.classifier import ImageClassifier
from fastscale.training.device_meter import HELD_BACK, DeviceMeter
from fastscale.training.scoring import ERRORS
from fastscale.training.values import is_number

SUMS = ("seconds", "busy", "waited", "images")  # of the current epoch
EPOCH = ("epoch_time_s", "images_per_s", "data_wait_share")  # of a complete epoch
DEVICE, DEVICE_SHARE = "device", "device_busy_share"  # the same on a GPU only


class Clock:
    """A clock that can be stopped and started again."""

    def __init__(self) -> None:
        self.total, self.since = 0.0, math.nan

    @property
    def running(self) -> bool:
        """Whether the clock runs."""
        return not math.isnan(self.since)

    def go(self) -> None:
        """Starts the clock if it stands."""
        if not self.running:
            self.since = time.perf_counter()

    def stop(self) -> None:
        """Stops the clock, after the device has finished its work."""
        if self.running:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            self.total, self.since = self.read(), math.nan

    def drop_since(self, reading: float) -> float:
        """Takes off what it has counted since this reading, or since it last started.

        Returns the seconds taken off.
        """
        if not self.running:
            return 0.0
        before, self.total = self.read(), max(self.total, reading)
        self.since = time.perf_counter()
        return before - self.total

    def read(self) -> float:
        """Seconds so far."""
        return self.total + (time.perf_counter() - self.since if self.running else 0.0)


class SpeedMonitor(Callback):
    """Measures each training epoch: seconds, images/s, and the share of time waiting for data.

    The host's clock counts; on a GPU, CUDA events also give the share of time the device works
    (DeviceMeter). Only training batches count: the clock stands during validation, with its precise
    batch norm, while a checkpoint is saved, and while the process is stopped (Ctrl-Z). The device
    is waited for only where the clock stops. The first batch of an epoch, in which the loader
    starts, counts in the seconds but not in images/s and wait.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.begun: dict[str, float] | None = None  # sums of the current epoch
        self.lost = 0.0  # seconds of pauses, taken off the clock
        self.start({})
        self.begun = None

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint: a resumed run reports all its epochs, the interrupted one whole."""
        return {"epochs": self.epochs, "begun": self.begun and self.sums()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what the interrupted run measured; InputError if that is damaged."""
        epochs, begun = state_dict.get("epochs"), state_dict.get("begun")
        if not (
            isinstance(epochs, list)
            and all(_is_numbers(e, EPOCH, DEVICE_SHARE) for e in epochs)
            and (begun is None or _is_numbers(begun, SUMS, DEVICE))
        ):
            raise InputError("the checkpoint is damaged: what it says of speed are no numbers")
        self.epochs, self.begun = list(epochs), begun

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock for a resumed epoch."""
        if self.begun is not None:
            self.start(self.begun)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock; Lightning does not call this for a resumed epoch."""
        self.start(dict.fromkeys(SUMS, 0.0))

    def start(self, begun: dict[str, float]) -> None:
        """Starts the clock with `begun`, the sums of the epoch so far."""
        self.begun, self.clock, self.device = begun, Clock(), DeviceMeter()
        self.first_batch = self.last_end = math.nan
        self.seen = 0.0  # the clock's reading at the last step's beginning or end
        self.waited, self.images, self.over = 0.0, 0, False
        self.clock.go()

    def sums(self) -> dict[str, float]:
        """The sums of the epoch until now, in seconds and images."""
        assert self.begun is not None
        now = self.clock.read()
        here = (now, now - self.first_batch, self.waited, self.images)
        sums = {
            k: self.begun[k] + (0.0 if math.isnan(v) else v)
            for k, v in zip(SUMS, here, strict=True)
        }
        # not if the epoch began on a machine without a GPU
        if self.device.steps and (DEVICE in self.begun or not self.begun["images"]):
            sums[DEVICE] = self.begun.get(DEVICE, 0.0) + self.device.busy()
        return sums

    @contextmanager
    def without_pauses(self) -> Iterator[None]:
        """Takes pauses of the process (Ctrl-Z, then `fg`) off the clock while the block runs.

        What is lost is the time since the step began or the last one ended: the pause, and less
        than a step.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def resumed(*_: Any) -> None:
            self.lost += self.clock.drop_since(self.seen)

        before = signal.signal(signal.SIGCONT, resumed)
        try:
            yield
        finally:
            signal.signal(signal.SIGCONT, before)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the clock while the block runs."""
        running = self.clock.running
        self.clock.stop()
        yield
        if running:
            self.clock.go()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Counts the time since the last step as waiting for this batch."""
        now = self.seen = self.clock.read()
        if math.isnan(self.first_batch):
            self.first_batch = now
        else:
            self.waited += now - self.last_end
        if batch[0].is_cuda:
            loop = trainer.fit_loop.epoch_loop.automatic_optimization
            in_pieces = getattr(loop, "used", None) != "captured"
            self.device.begin(hold_back=in_pieces and batch_idx == HELD_BACK)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts the batch's images over all processes and stops the clock after the last one."""
        self.device.end()
        self.images += batch[0].shape[0] * trainer.world_size
        if batch_idx + 1 >= trainer.num_training_batches:
            self.over = True
            self.clock.stop()
        self.last_end = self.seen = self.clock.read()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops the clock before the module computes precise statistics."""
        self.clock.stop()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock again if the epoch has more batches."""
        if self.begun is not None and not self.over:
            self.clock.go()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the epoch's figures."""
        self.clock.stop()
        sums = self.sums()
        busy = max(sums["busy"], 1e-9)
        here = (sums["seconds"], sums["images"] / busy, min(1.0, sums["waited"] / busy))
        epoch = dict(zip(EPOCH, here, strict=True))
        if DEVICE in sums:
            epoch[DEVICE_SHARE] = min(1.0, sums[DEVICE] / busy)
        self.begun = None
        if sums["images"]:
            self.epochs.append(epoch)
            for name, value in epoch.items():
                pl_module.log(name, value, prog_bar=name.endswith("_share"))

    def summary(self) -> dict[str, float]:
        """The median over epochs of each figure that all epochs have."""
        names = [k for k in (*EPOCH, DEVICE_SHARE) if all(k in e for e in self.epochs)]
        return {k: statistics.median(e[k] for e in self.epochs) for k in names if self.epochs}


def _is_numbers(value: object, names: tuple[str, ...], optional: str) -> bool:
    return (
        isinstance(value, dict)
        and set(value) - {optional} == set(names)
        and all(is_number(v, 0, 1e15) for v in value.values())
    )


class BoardExtras(Callback):
    """Adds to TensorBoard a grid of the first training batch, and HParams to compare runs by."""

    def __init__(self, data_name: str, images: int = 32):
        self.data_name, self.images = data_name, images

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the run's hyper-parameters and the names of its results."""
        if (
            isinstance(trainer.logger, TensorBoardLogger)
            and trainer.is_global_zero
            and isinstance(pl_module, ImageClassifier)
        ):
            metrics = {**dict.fromkeys(ERRORS, 0.0), "epoch_time_s": 0.0, "images_per_s": 0.0}
            experiment, start, _ = hparams(self.hyper_parameters(pl_module), metrics)
            writer = trainer.logger.experiment._get_file_writer()
            writer.add_summary(experiment)
            writer.add_summary(start)

    def hyper_parameters(self, module: ImageClassifier) -> dict[str, Any]:
        """Strategy, factor and counts (flops are multiply-adds), then what else tells runs apart.

        TensorBoard sorts them by name and shows the first five. The names of the others are chosen
        to come later.
        """
        run = NetworkName.parse(module.arch.name, known=False)
        cx = complexity(module.arch, num_classes=module.num_classes)
        return {
            "strategy": run.strategy or "none",
            "factor": run.factor,
            "flops": cx.flops,
            "params": cx.params,
            "acts": cx.acts,
            "trained_base": run.base,
            "trained_data": self.data_name,
            "trained_recipe": module.recipe.name,
            "trained_resolution": module.arch.resolution,
            "trained_seed": module.seed,
        }

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Draws the first batch of the first epoch."""
        first = trainer.current_epoch == 0 and batch_idx == 0 and trainer.is_global_zero
        if (
            first
            and isinstance(trainer.logger, TensorBoardLogger)
            and isinstance(pl_module, ImageClassifier)
        ):
            pixels = (
                batch[0][: self.images].detach().float() * pl_module.image_std
                + pl_module.image_mean
            )
            trainer.logger.experiment.add_image("train_images", grid(pixels / 255), 0)


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """(N, 3, H, W) in 0..1 -> one (3, rows * (H + 1), columns * (W + 1)) picture."""
    padded = torch.nn.functional.pad(images.clamp(0, 1), (0, 1, 0, 1), value=1.0)
    missing = -len(padded) % columns
    padded = torch.cat([padded, padded.new_ones(missing, *padded.shape[1:])])
    n, c, h, w = padded.shape
    return (
        padded.view(n // columns, columns, c, h, w)
        .permute(2, 0, 3, 1, 4)
        .reshape(c, n // columns * h, columns * w)
    )
