"""Peak memory of a measurement, and what happens when it does not fit: the batch is halved, and the record says so."""

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
    """Highest memory since it was made, less what was in use then: of the GPU's tensors, or of this process on a CPU."""

    def __init__(self, device: torch.device):
        self.device, self.on_gpu = device, device.type == "cuda"
        if self.on_gpu:
            torch.cuda.init()  # its statistics are not there before
            torch.cuda.reset_peak_memory_stats(device)
            self.before: float | None = torch.cuda.memory_allocated(device) / 2**20
        else:
            self.before = _resident("VmRSS") if _reset_peak() else None

    def warmed_up(self) -> None:
        """On a GPU the peak starts here: while cuDNN tries its kernels in the first steps, it takes workspaces that no later step needs."""
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def mib(self) -> float | None:
        """MiB; None where the system does not tell."""
        if self.before is None:
            return None
        peak = (
            torch.cuda.max_memory_allocated(self.device) / 2**20
            if self.on_gpu
            else _resident("VmHWM")
        )
        return None if peak is None else max(0.0, peak - self.before)


HEADROOM = 0.03  # of a GPU's memory: what is measured nearer to its end may end there


def check_headroom(device: torch.device) -> None:
    """OutOfMemoryError where a GPU's peak came too near to the end of its memory."""
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
    with contextlib.suppress(
        OSError, AttributeError
    ):  # glibc keeps freed memory, which would then be counted as in use before
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
    """(batch, attempt(batch)) for the first of batch, batch/2, ... 1 that fits in memory; the error itself where not even 1 does."""
    while True:
        try:
            return batch, attempt(batch)
        except Exception as error:
            if batch == 1 or not out_of_memory(error):
                raise
        clean()  # after the except clause: the error's frames hold the tensors that did not fit
        batch //= 2


def clean() -> None:
    """Lets go of what earlier measurements left: tensors, the GPU's cached blocks, what torch compiled."""
    if "torch._dynamo" in sys.modules:
        sys.modules["torch._dynamo"].reset()
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
