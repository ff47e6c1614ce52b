"""Saves a run's state: after its first step, within long epochs, after each epoch, and on a signal.

There is one file, which is replaced. After the first save, saving takes at most 1 % of the time. A
run saved within an epoch resumes with the next batch: the loader starts there, and everything
random is a function of seed, epoch, image or step.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from fastscale.common import write_whole
from fastscale.errors import RunError
from fastscale.models.finite import not_finite
from fastscale.training.monitor import SpeedMonitor
from fastscale.training.stopping import Stopped, Stopping, in_a_cluster_job

SHARE = 0.01  # of the time that saving may take
SOONEST = 2.0  # seconds between two saves within an epoch, at least
ASKED_EVERY = 50  # steps between decisions of several processes to save, for which they wait


class RunCheckpoint(Checkpoint):
    """Saves to `path` at the end of each epoch, after the first step, and in between.

    Within an epoch it saves when the process has run twice as long as at the last save, and at
    least every `every` seconds (0: after every step).

    On a signal it saves after the current step and ends the process; several processes do so
    together within 50 steps. During validation it saves the state before that, so that the resumed
    run validates first. A state that is not finite raises RunError, and the last file stays.
    """

    def __init__(self, path: Path, every: float, stopping: Stopping, speed: SpeedMonitor):
        self.path, self.every, self.stopping, self.speed = path, every, stopping, speed
        self.saved_at, self.took, self.began = time.monotonic(), 0.0, time.monotonic()
        self.saved_here = False  # whether this process has saved
        self.loading = False  # whether a checkpoint is loaded and no step made yet
        self.unvalidated = False  # whether the loaded state was saved during validation
        self.statistics: dict[str, Tensor] | None = None  # as they were before validation

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes that the run resumes."""
        self.loading, self.unvalidated = True, checkpoint.get("unvalidated") is True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock; validates first if the run was stopped during validation."""
        self.saved_here, self.loading = self.loading, False
        self.saved_at = self.began = time.monotonic()
        if trainer.world_size > 1:  # Lightning would synchronise them about SIGTERM in every step
            loop: Any = trainer.fit_loop.epoch_loop
            loop._broadcast_sigterm_tensor = lambda: None
        if self.unvalidated:
            self.unvalidated = False
            validate_now(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Makes signals wait: from here on there is a step to save."""
        self.stopping.patient = True

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Saves if it is time to: not between the parts of a step, and not where the epoch ends or
        a validation follows, after which it saves anyway."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        loop: Any = trainer.fit_loop
        if batch_idx + 1 >= trainer.num_training_batches or loop.epoch_loop._should_check_val_fx(
            loop._data_fetcher
        ):
            return
        if trainer.world_size > 1 and self.saved_here and trainer.global_step % ASKED_EVERY:
            return
        if trainer.strategy.broadcast(self.due() or bool(self.stopping.came)):
            self.save_timed(trainer)
            self.end_if_asked(trainer)

    def due(self) -> bool:
        """Whether it is time to save.

        A young run saves often, an old one every `every` seconds, none for more than `SHARE`.
        """
        if not self.saved_here or self.every == 0:
            return True
        wait = min(self.every, max(self.saved_at - self.began, SOONEST))
        return time.monotonic() - self.saved_at >= max(wait, self.took / SHARE)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lets a signal end a single process at once; several have to leave validation together."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self.statistics = {}
        if getattr(pl_module, "recipe").precise_bn:  # noqa: B009  (a LightningModule has none)
            self.statistics = {k: v.clone() for k, v in pl_module.named_buffers()}
        self.stopping.patient = trainer.world_size > 1
        if not self.stopping.patient:
            self.stopping.end_if_asked()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Makes signals wait again."""
        if self.statistics is not None:
            self.stopping.patient, self.statistics = True, None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after the epoch's validation; Lightning calls this after all other callbacks."""
        self.save_timed(trainer)
        if trainer.current_epoch + 1 < (trainer.max_epochs or 0) and not trainer.should_stop:
            self.end_if_asked(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lets a signal end the process at once: all is saved."""
        self.stopping.patient = False
        self.stopping.line = "stopped after the last step; the same command finishes the run"

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Saves the state before the validation if a signal came during it."""
        if isinstance(exception, Stopped) and self.statistics is not None:
            buffers = dict(pl_module.named_buffers())
            with torch.no_grad():
                for name, value in self.statistics.items():
                    buffers[name].copy_(value)
            self.unvalidated, pl_module.errors = True, {}  # type: ignore[assignment]
            self.save(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes whether a validation is due first, and whether training has ended early."""
        checkpoint["unvalidated"] = self.unvalidated
        progress: Any = trainer.fit_loop.epoch_progress.current
        checkpoint["ended"] = bool(
            not self.unvalidated
            and trainer.should_stop
            and trainer.fit_loop._can_stop_early
            and progress.processed > progress.completed
        )

    def end_if_asked(self, trainer: pl.Trainer) -> None:
        """Ends all processes after a signal to the first."""
        asked = trainer.strategy.broadcast(self.stopping.asked)
        if self.stopping.came and in_a_cluster_job():
            self.stopping.came = 0  # handled by saving
        if asked and trainer.is_global_zero:
            raise Stopped(self.stopping.came)
        if asked:
            raise SystemExit(0)

    def save_timed(self, trainer: pl.Trainer) -> None:
        """Saves with the training's clock stopped."""
        with self.speed.paused():
            began = time.monotonic()
            self.save(trainer)
            self.saved_at, self.saved_here = time.monotonic(), True
            self.took = self.saved_at - began

    def save(self, trainer: pl.Trainer) -> None:
        """Replaces the saved state by the current one."""
        step = trainer.global_step
        if name := not_finite(trainer.lightning_module.state_dict()):
            raise RunError(
                f"the weights are not finite after step {step} ({name}); {kept(self.path)}; "
                "a lower --model.recipe.lr may help"
            )
        self.stopping.saving = True
        try:
            trainer.save_checkpoint(self.path)
            if trainer.is_global_zero:
                steps = trainer.estimated_stepping_batches
                done = {"step": step, "steps": steps, "epoch": trainer.current_epoch}
                write_whole(self.path.with_name("progress.json"), json.dumps(done) + "\n")
        except OSError as error:
            raise RunError(
                f"{self.path}: could not be saved after step {step} "
                f"({error.strerror or error}); {kept(self.path)}"
            ) from None
        finally:
            self.stopping.saving = False
        self.stopping.line = (
            f"stopped and saved after step {step}; the same command resumes from there"
        )


def validate_now(trainer: pl.Trainer) -> None:
    """Runs the validation that a stopped run did not finish; then training continues after it."""
    loop: Any = trainer.fit_loop.epoch_loop.val_loop
    loop.restarting = False
    trainer.validating = True
    loop.run()
    trainer.training = True
    loop.reset_restart_stage()
    loop._has_run = False  # so that the epoch's loop itself passes the end of the validation


def kept(path: Path) -> str:
    """What remains of a run that fails, in words."""
    if not path.is_file():
        return "no checkpoint was written before"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        step, epoch = found["global_step"], found["epoch"]
    except Exception:  # the error that ended the run matters more
        return f"the checkpoint {path} cannot be read"
    return f"the last good checkpoint is {path} (step {step}, epoch {epoch + 1})"
