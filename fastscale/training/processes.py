"""One run in several processes: its checks, and the messages when a process dies.

Lightning detects torchrun and srun by itself.
"""

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
from fastscale.training.out_of_memory import out_of_memory
from fastscale.training.recipe import Recipe

PARENT = "FASTSCALE_PARENT"  # environment variable: the process that starts those of a run
# parts of error messages that show that another process of the run is gone
LOST = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Connection refused",
    "Broken pipe",
    "remote process exited",
    "NCCL error",
)


def end_with_parent() -> None:
    """Ends this process with the one that started it for a run, even if that is killed (Linux)."""
    parent = os.environ.get(PARENT)
    if sys.platform == "linux" and parent == str(os.getppid()):
        die_with_parent(signal.SIGKILL)
        if os.getppid() != int(parent):  # it has died already
            os._exit(1)


@contextmanager
def named_as_parent() -> Iterator[None]:
    """Tells processes that are started in the block that this one is their parent."""
    os.environ[PARENT] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(PARENT, None)


@contextmanager
def lost_process_reported(kept: Callable[[], str], grace: float = 20) -> Iterator[None]:
    """If a process that was started in the block dies, says so in one line and ends with 1.

    Lightning watches these processes; if one fails, it kills their parent without a message. Here
    the parent has `grace` seconds to leave the block with the error it meets by itself, and then as
    long as it needs to end. `kept`: says what remains of the run.
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

    # not restored after the block: the observer still runs while this process ends
    observer: Any = subprocess_script._ChildProcessObserver
    observer._terminate_all = end
    try:
        yield
    finally:
        left.set()


def own_cluster() -> list[Any]:
    """Under srun: Lightning's SLURM environment without its requeueing.

    Requeueing would save a second checkpoint in the working folder, and another run would resume
    from that. Here a run resumes from its own checkpoint, and whoever submitted it requeues it.
    """
    if not SLURMEnvironment.detect():
        return []
    try:
        return [SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:  # --ntasks without --ntasks-per-node
        raise InputError(f"srun: {error}") from None


def check_processes(trainer: Any) -> None:
    """InputError, before any process starts, if several cannot train together.

    That is so if their port is taken, or for synchronised batch norm on CPUs.
    """
    if trainer.get("sync_batchnorm") and not torch.cuda.is_available():
        raise InputError(
            "--trainer.sync_batchnorm: torch supports it on GPUs only, and there is none here"
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
                f"MASTER_PORT={port} cannot be used ({error}): set another, or unset it and a free "
                "one is found"
            ) from None


def what_ended(error: Exception, recipe: Recipe) -> str | None:
    """A line that says what ended a run; None for an error in the program."""
    text = " ".join(str(error).split())
    if out_of_memory(error):
        parts = next(
            k for k in (2 * recipe.accumulate, recipe.batch_size) if recipe.batch_size % k == 0
        )
        return (
            f"out of memory with {recipe.batch_size // recipe.accumulate} images at once: "
            f"--model.recipe.accumulate {parts} halves that and leaves the batch and the rate as "
            "they are (or more --trainer.devices)"
        )
    if "DataLoader worker" in text:  # torch raises this at any place in the program
        return "a process that loads images was killed (out of memory?): try fewer --data.workers"
    if "Too many open files" in text or getattr(error, "errno", 0) == errno.EMFILE:
        return "too many open files: raise the limit (`ulimit -n 1024`), or lower --data.workers"
    if "address already in use" in text.lower() or "EADDRINUSE" in text:
        return (
            "the port on which the processes of this run meet is in use: set MASTER_PORT to "
            f"another ({text[:160]})"
        )
    if any(part in text for part in LOST):
        return f"another process of this run has ended; its message is above ({text[:160]})"
    return None
