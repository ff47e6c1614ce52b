"""What a run shows while it goes: speed, share of time spent waiting for data, a grid of training images, HParams (TensorBoard)."""

import math
import statistics
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

from fastscale.counts import complexity
from fastscale.scaling import parse_run
from fastscale.training.classifier import ERRORS, ImageClassifier


class SpeedMonitor(Callback):
    """Images/s, seconds an epoch and data-wait share of each training epoch, by the host's clock; no device sync inside an epoch.

    The first batch of an epoch (in which a loader starts up) is left out of the rate and of the wait, and in the epoch's seconds.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.begun: dict[str, float] | None = None  # sums of the epoch under way

    def state_dict(self) -> dict[str, Any]:
        """Kept in the checkpoint, so that a resumed run reports all its epochs, and the one it was stopped in as a whole."""
        return {"epochs": self.epochs, "begun": self.begun and self.sums()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what the interrupted run had measured."""
        self.epochs, self.begun = list(state_dict["epochs"]), state_dict.get("begun")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock again for an epoch that is taken up."""
        if self.begun is not None:
            self.start(self.begun)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock; Lightning does not call this for an epoch that is taken up."""
        self.start({"seconds": 0.0, "busy": 0.0, "waited": 0.0, "images": 0})

    def start(self, begun: dict[str, float]) -> None:
        """Sums of the epoch so far, to which what follows is added."""
        self.begun, self.started = begun, time.perf_counter()
        self.first_batch = self.last_end = math.nan
        self.waited, self.images = 0.0, 0

    def sums(self) -> dict[str, float]:
        """Of the epoch until now, in seconds and images."""
        assert self.begun is not None
        now = time.perf_counter()
        here = {
            "seconds": now - self.started,
            "busy": now - self.first_batch,
            "waited": self.waited,
            "images": self.images,
        }
        return {k: self.begun[k] + (0.0 if math.isnan(v) else v) for k, v in here.items()}

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The time since the last step ended was spent waiting for this batch."""
        now = time.perf_counter()
        if math.isnan(self.first_batch):
            self.first_batch = now
        else:
            self.waited += now - self.last_end

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts the batch's images over all processes."""
        self.images += batch[0].shape[0] * trainer.world_size
        self.last_end = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the epoch's figures."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()  # once an epoch: the clock must see the last step's end
        sums = self.sums()
        busy = max(sums["busy"], 1e-9)
        epoch = {
            "epoch_time_s": sums["seconds"],
            "images_per_s": sums["images"] / busy,
            "data_wait_share": sums["waited"] / busy,
        }
        self.epochs.append(epoch)
        self.begun = None
        pl_module.log_dict(epoch)

    def summary(self) -> dict[str, float]:
        """Median over the epochs of each figure."""
        return {
            k: statistics.median(e[k] for e in self.epochs)
            for k in (self.epochs[0] if self.epochs else ())
        }


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
            parse_run(module.arch.name),
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
