"""Peak memory of a measurement, and what happens when it does not fit: the batch is halved, and the record says so."""

import contextlib
import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

Made = TypeVar("Made")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Highest memory since it was made, less what was in use then: of the GPU's tensors, or of this process on a CPU."""

    def __init__(self, device: torch.device):
        self.on_gpu = device.type == "cuda"
        if self.on_gpu:
            torch.cuda.init()  # its statistics are not there before
            torch.cuda.reset_peak_memory_stats(device)
            self.before: float | None = torch.cuda.memory_allocated(device) / 2**20
        else:
            self.before = _resident("VmRSS") if _reset_peak() else None

    def mib(self) -> float | None:
        """MiB; None where the system does not tell."""
        if self.before is None:
            return None
        peak = torch.cuda.max_memory_allocated() / 2**20 if self.on_gpu else _resident("VmHWM")
        return None if peak is None else max(0.0, peak - self.before)


def _reset_peak() -> bool:
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc keeps freed memory, which would then be counted as in use before
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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's or the host's memory did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("not enough memory" in str(error) or "CUDA out of memory" in str(error))


def fitting_batch(batch: int, attempt: Callable[[int], Made]) -> tuple[int, Made]:
    """(batch, attempt(batch)) for the first of batch, batch/2, ... 1 that fits in memory; the error itself where not even 1 does."""
    while True:
        try:
            return batch, attempt(batch)
        except Exception as error:
            if batch == 1 or not out_of_memory(error):
                raise
        gc.collect()  # after the except clause: the error's frames hold the tensors that did not fit
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        batch //= 2
