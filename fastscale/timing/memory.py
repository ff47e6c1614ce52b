"""Peak memory of a measurement; a batch that does not fit is halved, and the record says so."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from fastscale.training.out_of_memory import out_of_memory

Made = TypeVar("Made")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak memory since its creation above what was in use then.

    On a GPU of its tensors, on a CPU of this process.
    """

    def __init__(self, device: torch.device):
        self.device, self.on_gpu = device, device.type == "cuda"
        if self.on_gpu:
            torch.cuda.init()  # no statistics before
            torch.cuda.reset_peak_memory_stats(device)
            self.before: float | None = torch.cuda.memory_allocated(device) / 2**20
        else:
            self.before = _resident("VmRSS") if _reset_peak() else None

    def warmed_up(self) -> None:
        """On a GPU, the peak starts here.

        In the first steps cuDNN tries its kernels with workspaces that no later step needs.
        """
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def mib(self) -> float | None:
        """The peak in MiB; None if the system does not report it."""
        if self.before is None:
            return None
        peak = (
            torch.cuda.max_memory_allocated(self.device) / 2**20
            if self.on_gpu
            else _resident("VmHWM")
        )
        return None if peak is None else max(0.0, peak - self.before)


HEADROOM = 0.03  # share of a GPU's memory to leave free: with less, later steps may run out


def check_headroom(device: torch.device) -> None:
    """OutOfMemoryError if the peak left a GPU too little free memory."""
    if device.type != "cuda":
        return
    free, whole = torch.cuda.mem_get_info(device)
    others = max(0, whole - free - torch.cuda.memory_reserved(device))
    peak = torch.cuda.max_memory_allocated(device)
    if peak + others > (1 - HEADROOM) * whole:
        raise torch.OutOfMemoryError(
            f"{peak / 2**20:.0f} MiB of {whole / 2**20:.0f} leave no headroom"
        )


def _reset_peak() -> bool:
    gc.collect()
    # glibc keeps freed memory, which would count as in use before
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        CLEAR.write_text("5")  # Linux: the peak starts again from here
    except OSError:
        return False
    return True


def _resident(name: str) -> float | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(name + ":")]
    return int(found[0]) / 1024 if found else None


def fitting_batch(batch: int, attempt: Callable[[int], Made]) -> tuple[int, Made]:
    """(batch, attempt(batch)) for the first of batch, batch/2, ... 1 that fits in memory.

    If not even 1 fits, the error is raised.
    """
    while True:
        try:
            return batch, attempt(batch)
        except Exception as error:
            if batch == 1 or not out_of_memory(error):
                raise
        clean()  # after the except clause: the error's frames hold the tensors that did not fit
        batch //= 2


def clean() -> None:
    """Frees what earlier measurements left: tensors, the GPU's cached blocks, compiled code."""
    if "torch._dynamo" in sys.modules:
        sys.modules["torch._dynamo"].reset()
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
