"""One run in several processes: what Lightning detects by itself (torchrun, srun), what can be wrong, and how a process's end is said."""

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.strategies.launchers import subprocess_script
from pytorch_lightning.plugins.environments import SLURMEnvironment

from fastscale.common import die_with_parent
from fastscale.errors import InputError
from fastscale.training.recipe import Recipe

PARENT = "FASTSCALE_PARENT"  # environment variable: which process starts those of a run
# parts of messages by which the other processes of a run are missed
LOST = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Connection refused",
    "Broken pipe",
    "remote process exited",
    "NCCL error",
)


def end_with_parent() -> None:
    """A process that Lightning started for a run of several ends with the one that started it, also
    where that is killed; on Linux."""
    parent = os.environ.get(PARENT)
    if sys.platform == "linux" and parent == str(os.getppid()):
        die_with_parent(signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before
            os._exit(1)


@contextmanager
def named_as_parent() -> Iterator[None]:
    """Processes that are started while the block runs know that this one did."""
    os.environ[PARENT] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(PARENT, None)


@contextmanager
def loss_is_said(kept: Callable[[], str], grace: float = 20) -> Iterator[None]:
    """Says in a line when a process that was started in the block has died, and ends with 1.

    Lightning watches these processes and kills the one that started them without a word when one of
    them fails. Here that one has `grace` seconds to leave the block with the error it meets by
    itself, and as long as it takes to end after that. `kept`: what remains of the run.
    """
    left = threading.Event()

    def end(observer: Any) -> None:
        for process in observer._child_processes:
            process.kill()
        if left.wait(grace):
            return
        print(
            f"error: another process of this run has ended; {kept()}", file=sys.stderr, flush=True
        )
        os._exit(1)

    # not put back: it watches on while this process ends
    subprocess_script._ChildProcessObserver._terminate_all = end  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        left.set()


def own_cluster() -> list[Any]:
    """Under srun: Lightning's SLURM environment without its requeueing, which would keep a second checkpoint in the working folder, where
    another run would take it for its own. Runs resume from their own checkpoint; who submitted them requeues them."""
    if not SLURMEnvironment.detect():
        return []
    try:
        return [SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:  # --ntasks without --ntasks-per-node
        raise InputError(f"srun: {error}") from None


def check_processes(trainer: Any) -> None:
    """InputError where the port on which processes would meet is taken, or synchronised batch norm is wanted of CPUs; said before any
    process is started."""
    if trainer.get("sync_batchnorm") and not torch.cuda.is_available():
        raise InputError(
            "--trainer.sync_batchnorm: torch has it for GPUs only, and there is none here"
        )
    port = os.environ.get("MASTER_PORT")
    started_outside = any(name in os.environ for name in ("LOCAL_RANK", "SLURM_PROCID"))
    if port is None or started_outside or trainer.get("devices") in (None, 1, "1", "auto"):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(port)))
        except (OSError, ValueError, OverflowError) as error:
            raise InputError(
                f"MASTER_PORT={port} cannot be used ({error}): give another, or leave it out and a free one is found"
            ) from None


def what_ended(error: Exception, recipe: Recipe) -> str | None:
    """In one line what ended a run, where that is known; None for what is a mistake of the program's."""
    text = " ".join(str(error).split())
    if (
        isinstance(error, torch.OutOfMemoryError)
        or "can't allocate memory" in text
        or "CUDNN_STATUS_ALLOC_FAILED" in text
    ):
        parts = next(
            k for k in (2 * recipe.accumulate, recipe.batch_size) if recipe.batch_size % k == 0
        )
        return (
            f"out of memory with {recipe.batch_size // recipe.accumulate} images at once: --model.recipe.accumulate {parts} halves that "
            "and leaves the batch and the rate as they are (or more --trainer.devices)"
        )
    if "DataLoader worker" in text:  # torch says so wherever the program stands just then
        return "a process that loads images was killed (out of memory?): try fewer --data.workers"
    if "Too many open files" in text or getattr(error, "errno", 0) == errno.EMFILE:
        return "too many open files: raise the limit (`ulimit -n 1024`), or lower --data.workers"
    if "address already in use" in text.lower() or "EADDRINUSE" in text:
        return f"the port on which the processes of this run meet is in use: set MASTER_PORT to another ({text[:160]})"
    if any(part in text for part in LOST):
        return f"another process of this run has ended; what it said stands above ({text[:160]})"
    return None
