"""The same batches without FFCV: torch's DataLoader over the source's own images. For machines without FFCV, and as its yardstick.

It reads the originals, FFCV what was stored of them. Order, crops, flips and augmentation are the same numbers (framing.py), so for images
stored raw the batches are equal (a few augmentations: nearly so, see augment/fast.py); for JPEGs they differ by the storing: another
compression, another decoder, and `max_resolution`.
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

TOGETHER = 32  # decoded images held at a time: photographs of a whole batch would fill the memory


class _Batches(Dataset):
    """[(framing, epoch, indices)] -> one batch, made in a worker process."""

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
        return torch.from_numpy(out).permute(0, 3, 1, 2), torch.from_numpy(
            self.images.labels[indices]
        )

    def _pixels(self, i: int) -> np.ndarray:
        try:
            return self.images.pixels(i)
        except Exception as e:
            raise RuntimeError(f"{self.images.name(i)}: {e}") from e


class PlainLoader(Epochs):
    """Batches (images (N, 3, R, R) uint8 channels_last, labels (N,) int64); arguments, attributes and order as the other loaders'.

    `workers`: processes; 0: none, in the loop itself. RunError from the loop names an image that can't be read.
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
            batch_size=None,  # a batch is made in one piece
            sampler=wanted,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # or each epoch would draw from torch's own random state
            worker_init_fn=partial(_start_worker, os.getpid()) if workers else None,
        )
        try:
            with _no_interruption():
                iterator = iter(loader)
            yield from iterator
        except (RuntimeError, OSError, EOFError) as e:
            if too_many_files(e):
                raise RunError(OPEN_FILES) from e
            if isinstance(e, OSError | EOFError):  # its end of a socket is closed, or its file gone
                raise RunError(KILLED) from e
            # of a worker process comes its whole traceback, whose last line says what was wrong
            last = (str(e).strip() or type(e).__name__).splitlines()[-1]
            raise RunError(_WORDS.sub(KILLED, last.removeprefix("RuntimeError: "))) from e


def _start_worker(parent: int, number: int) -> None:
    end_with_parent(parent)
    be_silent()


@contextmanager
def _no_interruption() -> Iterator[None]:
    """torch raises an error wherever the program is when a worker dies, which no loop can catch;
    with the handler of SIGCHLD put back, the wait for the next batch finds it within seconds."""
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)


KILLED = "a process that loads images was killed (out of memory?): try again with fewer workers"
_WORDS = re.compile(r"DataLoader worker \(pid.*")  # torch's
