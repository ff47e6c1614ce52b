"""The progress bar of an epoch on a terminal: images/s, loss, and how busy the device is."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from tqdm import tqdm

from fastscale.training.lines import share
from fastscale.training.monitor import DEVICE, SpeedMonitor

EVERY = 0.25  # seconds between two updates of the figures
FORM = "{desc}: {percentage:3.0f} %|{bar:24}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"


class Bar(ProgressBar):
    """One line on stderr that is redrawn; nothing in it waits for the device."""

    def __init__(self, speed: SpeedMonitor):
        super().__init__()
        self.speed = speed
        self.bar: Any = None
        self.looked = 0.0
        self.loss = ""
        self.off = False

    def disable(self) -> None:
        """Lightning calls this in every process but one."""
        self.off = True

    def enable(self) -> None:
        """Shows the bar again."""
        self.off = False

    def clear(self) -> None:
        """Removes the bar so that a line can be printed in its place."""
        if self.bar is not None:
            self.bar.clear()

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Prints a line above the bar; Lightning calls this."""
        self.clear()
        print(*args, flush=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the bar of a resumed epoch: `on_train_epoch_start` is not called for that."""
        self.begin(trainer, trainer.fit_loop.epoch_loop.batch_progress.current.ready)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows a new bar for the epoch."""
        self.begin(trainer)

    def begin(self, trainer: pl.Trainer, done: int = 0) -> None:
        """Shows a bar that starts at `done` batches."""
        self.end()
        total = int(trainer.num_training_batches)
        if self.off or done >= total:
            return
        title = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.bar = tqdm(
            desc=title,
            total=total,
            initial=done,
            leave=False,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format=FORM,
        )

    def end(self) -> None:
        """Removes the bar at the end of an epoch."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts the batch and updates the figures every `EVERY` seconds."""
        if self.bar is None:
            return
        if time.monotonic() - self.looked >= EVERY:
            self.looked = time.monotonic()
            self.bar.set_postfix_str(", ".join(self.figures(pl_module, outputs)), refresh=False)
        self.bar.update()

    def figures(self, module: Any, outputs: Any) -> list[str]:
        """Images/s, loss, and the share of time the device works or the step waits for data."""
        sums, parts = self.speed.sums(), []
        if sums["busy"] > 0:
            parts.append(f"{sums['images'] / sums['busy']:,.0f} images/s")
        loss = outputs.get("loss") if isinstance(outputs, dict) else None
        if loss is not None and loss.device.type == "cpu":
            parts.append(f"loss {float(loss) * module.recipe.accumulate:.3f}")
        elif module.read_loss is not None:
            parts.append(f"loss {module.read_loss:.3f}")
        if DEVICE in sums and sums["busy"] > 0:
            parts.append(f"device busy {share(sums[DEVICE] / sums['busy'])}")
        elif sums["busy"] > 0:
            parts.append(f"waits for data {share(sums['waited'] / sums['busy'])}")
        return parts

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says that validation runs; the bar stands still meanwhile."""
        if self.bar is not None and not trainer.sanity_checking:
            self.bar.set_description_str(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, validation"
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Removes the bar; the line about the epoch replaces it."""
        self.end()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Removes the bar, so that the error stands on a line without it."""
        self.end()
