"""What a run shows while it goes: speed, shares of time in which the step waits for data and in
which a GPU works, a grid of training images, HParams (TensorBoard)."""

import math
import statistics
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

SUMS = ("seconds", "busy", "waited", "images")  # of an epoch under way
EPOCH = ("epoch_time_s", "images_per_s", "data_wait_share")  # of a whole one
DEVICE, DEVICE_SHARE = "device", "device_busy_share"  # beside them, on a GPU


class Clock:
    """Seconds for which it ran; it can be stopped and go on."""

    def __init__(self) -> None:
        self.total, self.since = 0.0, math.nan

    @property
    def running(self) -> bool:
        """Whether it counts now."""
        return not math.isnan(self.since)

    def go(self) -> None:
        """Goes on."""
        if not self.running:
            self.since = time.perf_counter()

    def stop(self) -> None:
        """Stops, once the device has done what it was told before."""
        if self.running:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            self.total, self.since = self.read(), math.nan

    def read(self) -> float:
        """Seconds so far."""
        return self.total + (time.perf_counter() - self.since if self.running else 0.0)


class SpeedMonitor(Callback):
    """Images/s, seconds an epoch and data-wait share of each training epoch, by the host's clock; on
    a GPU also the share of the time in which the device works, by its events (DeviceMeter).

    Of training batches only: the clock stands during validation with its precise batch norm, and
    while a checkpoint is saved. No device sync inside an epoch but where the clock stops. The first
    batch of an epoch (in which a loader starts up) is left out of the rate and of the wait, and in
    the epoch's seconds.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.begun: dict[str, float] | None = None  # sums of the epoch under way
        self.start({})
        self.begun = None

    def state_dict(self) -> dict[str, Any]:
        """Kept in the checkpoint, so that a resumed run reports all its epochs, and the one it was
        stopped in as a whole."""
        return {"epochs": self.epochs, "begun": self.begun and self.sums()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resumes with what the interrupted run had measured; InputError if it is not that."""
        epochs, begun = state_dict.get("epochs"), state_dict.get("begun")
        if not (
            isinstance(epochs, list)
            and all(_is_numbers(e, EPOCH, DEVICE_SHARE) for e in epochs)
            and (begun is None or _is_numbers(begun, SUMS, DEVICE))
        ):
            raise InputError("the checkpoint is damaged: what it says of speed are no numbers")
        self.epochs, self.begun = list(epochs), begun

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock again for an epoch that is resumed."""
        if self.begun is not None:
            self.start(self.begun)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock; Lightning does not call this for an epoch that is resumed."""
        self.start(dict.fromkeys(SUMS, 0.0))

    def start(self, begun: dict[str, float]) -> None:
        """Sums of the epoch so far, to which what follows is added."""
        self.begun, self.clock, self.device = begun, Clock(), DeviceMeter()
        self.first_batch = self.last_end = math.nan
        self.waited, self.images, self.over = 0.0, 0, False
        self.clock.go()

    def sums(self) -> dict[str, float]:
        """Of the epoch until now, in seconds and images."""
        assert self.begun is not None
        now = self.clock.read()
        here = (now, now - self.first_batch, self.waited, self.images)
        sums = {
            k: self.begun[k] + (0.0 if math.isnan(v) else v)
            for k, v in zip(SUMS, here, strict=True)
        }
        # not of an epoch that was begun where there was no GPU
        if self.device.steps and (DEVICE in self.begun or not self.begun["images"]):
            sums[DEVICE] = self.begun.get(DEVICE, 0.0) + self.device.busy()
        return sums

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The clock stands while the block runs."""
        running = self.clock.running
        self.clock.stop()
        yield
        if running:
            self.clock.go()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The time since the last step ended was spent waiting for this batch."""
        now = self.clock.read()
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
        """Counts the batch's images over all processes; the last batch stops the clock."""
        self.device.end()
        self.images += batch[0].shape[0] * trainer.world_size
        if batch_idx + 1 >= trainer.num_training_batches:
            self.over = True
            self.clock.stop()
        self.last_end = self.clock.read()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Callbacks are called before the module, which computes precise statistics here."""
        self.clock.stop()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Training goes on, if there is more of this epoch."""
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
        """Median over the epochs of each figure that all of them have."""
        names = [k for k in (*EPOCH, DEVICE_SHARE) if all(k in e for e in self.epochs)]
        return {k: statistics.median(e[k] for e in self.epochs) for k in names if self.epochs}


def _is_numbers(value: object, names: tuple[str, ...], optional: str) -> bool:
    return (
        isinstance(value, dict)
        and set(value) - {optional} == set(names)
        and all(is_number(v, 0, 1e15) for v in value.values())
    )


class BoardExtras(Callback):
    """A grid of the first augmented training batch, and HParams by which runs compare, on TensorBoard."""

    def __init__(self, data_name: str, images: int = 32):
        self.data_name, self.images = data_name, images

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Names the run's hyper-parameters and the scalars that are its results."""
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

        TensorBoard orders them by name and shows the first five unasked: the names of the others are chosen to come after these.
        """
        run, cx = (
            NetworkName.parse(module.arch.name, known=False),
            complexity(module.arch, num_classes=module.num_classes),
        )
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
