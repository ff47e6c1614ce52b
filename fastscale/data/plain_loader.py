"""The same batches without FFCV: torch's DataLoader over the source's images.

For machines without FFCV, and as the reference for the FFCV loader. It reads the original images;
FFCV reads the stored ones. Order, crops, flips and augmentation use the same numbers (framing.py).
Batches of images stored raw are equal (for a few augmentations nearly so, see augment/fast.py).
Those of JPEGs differ by compression, decoder and `max_resolution`.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from fastscale.data.augment import pillow
from fastscale.data.epochs import Epochs, Share
from fastscale.data.framing import Framing, cut
from fastscale.data.images import ImageSet
from fastscale.data.workers import (
    OPEN_FILES,
    be_silent,
    check_open_files,
    end_with_parent,
    too_many_files,
)
from fastscale.errors import RunError

if TYPE_CHECKING:
    from typing_extensions import Unpack

TOGETHER = 32  # decoded images held at a time: those of a whole batch could fill the memory


class _Batches(Dataset):
    """Makes the batch of (framing, epoch, indices), in a worker process."""

    def __init__(self, images: ImageSet):
        self.images = images

    def __getitem__(
        self, wanted: tuple[Framing, int, np.ndarray]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        framing, epoch, indices = wanted
        out = np.empty((len(indices), framing.resolution, framing.resolution, 3), dtype=np.uint8)
        for k in range(0, len(indices), TOGETHER):
            some = indices[k : k + TOGETHER]
            pixels = [self._pixels(i) for i in some.tolist()]
            boxes, flips = framing.boxes(
                epoch,
                some,
                np.array([p.shape[0] for p in pixels]),
                np.array([p.shape[1] for p in pixels]),
            )
            operations = framing.operations(epoch, some)
            for image, box, flipped, drawn, place in zip(
                pixels, boxes.tolist(), flips.tolist(), operations, out[k:], strict=False
            ):
                cut(image, box, flipped, place)
                pillow.apply(place, drawn)
        labels = torch.from_numpy(self.images.labels[indices])
        return torch.from_numpy(out).permute(0, 3, 1, 2), labels

    def _pixels(self, i: int) -> np.ndarray:
        try:
            return self.images.pixels(i)
        except Exception as e:
            raise RuntimeError(f"{self.images.name(i)}: {e}") from e


class PlainLoader(Epochs):
    """Batches (images (N, 3, R, R) uint8 channels_last, labels (N,) int64), as GuardedLoader's.

    `workers`: processes; 0: the loop itself makes the batches. The loop raises RunError, which
    names an image that cannot be read.
    """

    def __init__(
        self,
        images: ImageSet,
        framing: Framing,
        batch_size: int,
        *,
        workers: int = 0,
        **share: Unpack[Share],
    ):
        super().__init__(framing, batch_size, len(images), **share)
        self.data, self.workers = _Batches(images), max(0, workers)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        epoch, todo = self.take_epoch()
        wanted: Any = [(self.framing, epoch, b) for b in todo]
        workers = min(self.workers, len(wanted))
        check_open_files(workers)
        loader = DataLoader(
            self.data,
            batch_size=None,  # the data set makes whole batches
            sampler=wanted,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # leaves torch's global random state alone
            worker_init_fn=partial(_start_worker, os.getpid()) if workers else None,
        )
        try:
            with _no_interruption():
                iterator = iter(loader)
            yield from iterator
        except (RuntimeError, OSError, EOFError) as e:
            if too_many_files(e):
                raise RunError(OPEN_FILES) from e
            if isinstance(e, OSError | EOFError):  # a worker's socket or file is gone
                raise RunError(KILLED) from e
            # a worker sends its whole traceback; the last line has the reason
            last = (str(e).strip() or type(e).__name__).splitlines()[-1]
            raise RunError(_WORDS.sub(KILLED, last.removeprefix("RuntimeError: "))) from e


def _start_worker(parent: int, number: int) -> None:
    end_with_parent(parent)
    be_silent()


@contextmanager
def _no_interruption() -> Iterator[None]:
    """Restore the SIGCHLD handler that torch's DataLoader replaces.

    With torch's handler, a dying worker raises an error anywhere in the program, where no loop can
    catch it. Without it, waiting for the next batch finds the dead worker within seconds.
    """
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)


KILLED = "a process that loads images was killed (out of memory?): try again with fewer workers"
_WORDS = re.compile(r"DataLoader worker \(pid.*")  # torch's message
