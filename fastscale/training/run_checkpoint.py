"""When a run's state is saved: after every epoch, within long epochs, and when the process is told to stop; always the same one file.

Saving never takes more than a hundredth of the time. What is saved within an epoch goes on with the next batch: the loader starts there,
and everything random is a function of seed, epoch, image or step.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import nn

from fastscale.errors import RunError
from fastscale.training.runs import write_atomically

SHARE = 0.01  # of the time that saving may take
ASKED_EVERY = 50  # steps after which several processes agree on whether to save; they wait for each other then
STOPPED = 143  # exit code of a process that SIGTERM ended


class RunCheckpoint(Checkpoint):
    """Saves to `path` at every epoch's end, and within one when `every` seconds have passed (0: after every step, whatever it takes).

    SIGTERM: saves after the step under way, then ends the process; several processes do so together within 50 steps. In a job of submitit
    it only saves: SIGTERM announces there that the job will be pre-empted, and the signal that has it requeued follows.
    A state that is not finite is not saved: RunError, and the one before stays.
    """

    def __init__(self, path: Path, every: float = 60.0):
        self.path, self.every = path, every
        self.saved_at, self.took = time.monotonic(), 0.0
        self.asked = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes SIGTERM over from Lightning, which has all processes talk about it in every step, and waits for the device to do so."""
        self.saved_at = time.monotonic()
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: Any) -> None:
        """Save at the next step, then end."""
        self.asked = True

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Saves if it is time to, between two steps: never between the parts of one, and never at an epoch's end, which saves anyway."""
        if (
            batch_idx + 1
        ) % trainer.accumulate_grad_batches or batch_idx + 1 >= trainer.num_training_batches:
            return
        if trainer.world_size > 1 and trainer.global_step % ASKED_EVERY:
            return
        due = self.every == 0 or time.monotonic() - self.saved_at >= max(
            self.every, self.took / SHARE
        )
        if trainer.strategy.broadcast(due or self.asked):
            self.save(trainer)
            self.end_if_asked(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after the epoch's validation; Lightning calls this after all other callbacks."""
        self.save(trainer)
        if trainer.current_epoch + 1 < (trainer.max_epochs or 0):
            self.end_if_asked(trainer)

    def end_if_asked(self, trainer: pl.Trainer) -> None:
        """Ends all processes after a SIGTERM to the first."""
        asked = trainer.strategy.broadcast(self.asked and "SUBMITIT_EXECUTOR" not in os.environ)
        self.asked = False
        if asked:
            if trainer.is_global_zero:
                print(
                    f"stopped and saved after step {trainer.global_step}; the same command takes up from there",
                    file=sys.stderr,
                    flush=True,
                )
            raise SystemExit(STOPPED if trainer.is_global_zero else 0)

    def save(self, trainer: pl.Trainer) -> None:
        """The run's state in place of the one before."""
        began = time.monotonic()
        if not finite(trainer.lightning_module):
            raise RunError(
                f"the weights are not finite after step {trainer.global_step}; {kept(self.path)}; a lower --model.recipe.lr may help"
            )
        trainer.save_checkpoint(self.path)
        if trainer.is_global_zero:
            done = {
                "step": trainer.global_step,
                "steps": trainer.estimated_stepping_batches,
                "epoch": trainer.current_epoch,
            }
            write_atomically(self.path.with_name("progress.json"), json.dumps(done) + "\n")
        self.saved_at = time.monotonic()
        self.took = self.saved_at - began


@torch.no_grad()
def finite(module: nn.Module) -> bool:
    """Whether every parameter is; waits for the device."""
    return bool(torch.stack(torch._foreach_norm(list(module.parameters()))).isfinite().all())


def kept(path: Path) -> str:
    """What remains of a run that fails, in words."""
    if not path.is_file():
        return "no checkpoint was written before"
    step, epoch = (
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)[k]
        for k in ("global_step", "epoch")
    )
    return f"the last good checkpoint is {path} (step {step}, epoch {epoch + 1})"
