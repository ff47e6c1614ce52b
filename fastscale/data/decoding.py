"""Threads that decode, crop and augment the images of a batch.

They are compiled (native/), or Python threads around OpenCV and numba if nothing can be compiled.
Both give the same pixels. Several batches can be started before the first is waited for. Nothing
here imports torch.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from fastscale.data.beton import JPG
from fastscale.data.framing import Framing, cut
from fastscale.data.native import build, pool

JPEG_SHRINK = 8  # by how much the JPEG decoder may shrink an image, if allowed


@dataclass(frozen=True)
class Wanted:
    """A batch to make.

    `rows` (N,): metadata of its images. `sizes` (N,): their stored bytes. `file`: the whole
    `.beton` as bytes.
    """

    framing: Framing
    epoch: int
    indices: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    file: np.ndarray

    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """The boxes and flips of `Framing.boxes`."""
        heights, widths = (self.rows[side].astype(np.int64) for side in ("height", "width"))
        return self.framing.boxes(self.epoch, self.indices, heights, widths)


def damaged(index: int) -> ValueError:
    """The error for a JPEG file that cannot be decoded completely."""
    return ValueError(f"image {index}: its JPEG data is damaged")


class CompiledThreads:
    """A pool of `workers` C++ threads."""

    ids: tuple[int, ...] = ()  # no threads that must be gone before a fork

    def __init__(self, workers: int):
        self.pool = pool.Pool(workers)

    def start(self, wanted: Wanted, out: np.ndarray) -> Any:
        """Start a batch; `out` (N, R, R, 3) uint8 is filled once `finish` returns."""
        framing, rows = wanted.framing, wanted.rows
        images = np.zeros(len(rows), dtype=pool.IMAGE)
        images["data"] = rows["data_ptr"] + np.uint64(wanted.file.ctypes.data)
        images["size"] = wanted.sizes
        images["height"], images["width"] = rows["height"], rows["width"]
        images["jpeg"] = rows["mode"] == JPG
        images["box"], images["flipped"] = wanted.boxes()
        images["ops"] = framing.operation_numbers(wanted.epoch, wanted.indices)
        ops = pool.op_rows(framing.operation_table, framing.resolution)
        most = 0 if not framing.train else JPEG_SHRINK if framing.shrink_jpegs else 1
        return self.pool.submit(images, ops, out, most), wanted

    def finish(self, ticket: Any) -> None:
        """Wait for a batch. ValueError names a damaged image."""
        batch, wanted = ticket
        if (first := self.pool.wait(batch)) >= 0:
            raise damaged(wanted.indices[first])

    def close(self) -> None:
        """Ends the threads."""
        self.pool.close()


class PythonThreads:
    """A pool of `workers` Python threads. The calls they make release the GIL."""

    def __init__(self, workers: int):
        self.workers = workers
        self.ids: list[int] = []  # native thread ids
        self.pool = ThreadPoolExecutor(workers, initializer=self._note)

    def _note(self) -> None:
        self.ids.append(threading.get_native_id())

    def start(self, wanted: Wanted, out: np.ndarray) -> list[Future]:
        """As CompiledThreads."""
        job, count = _PythonBatch(wanted, out), len(out)
        step = max(1, count // (4 * self.workers))  # parts differ in cost: make more than threads
        return [self.pool.submit(job, k, min(k + step, count)) for k in range(0, count, step)]

    def finish(self, ticket: list[Future]) -> None:
        """As CompiledThreads."""
        for part in ticket:
            part.result()

    def close(self) -> None:
        """Ends the threads."""
        self.pool.shutdown(wait=True, cancel_futures=True)


class _PythonBatch:
    """One batch; threads call it for its parts."""

    def __init__(self, wanted: Wanted, out: np.ndarray):
        from fastscale.data.augment import fast
        from fastscale.data.ffcv_decoder import decode_jpeg

        self.augment, self.decode = fast.apply, decode_jpeg
        rows, framing = wanted.rows, wanted.framing
        self.file, self.indices, self.out = wanted.file, wanted.indices, out
        self.start, self.size = rows["data_ptr"].tolist(), wanted.sizes.tolist()
        self.height, self.width = rows["height"].tolist(), rows["width"].tolist()
        self.jpg = (rows["mode"] == JPG).tolist()
        self.boxes, self.flips = (x.tolist() for x in wanted.boxes())
        self.operations = framing.operations(wanted.epoch, wanted.indices)

    def __call__(self, first: int, stop: int) -> None:
        areas = [
            h * w for h, w in zip(self.height[first:stop], self.width[first:stop], strict=True)
        ]
        scratch = np.empty(3 * max(areas), dtype=np.uint8)
        address, spare = scratch.ctypes.data, np.empty_like(self.out[0])
        for k in range(first, stop):
            start, size, h, w = self.start[k], self.size[k], self.height[k], self.width[k]
            if self.jpg[k]:
                file = self.file.ctypes.data + start
                if self.decode(file, size, h, w, address):
                    raise damaged(self.indices[k])
                image = scratch[: 3 * h * w].reshape(h, w, 3)
            else:
                image = self.file[start : start + size].reshape(h, w, 3)
            cut(image, self.boxes[k], self.flips[k], self.out[k])
            self.augment(self.out[k], self.operations[k], spare)


Cut = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[], np.ndarray]]


@contextmanager
def cutting(pixels: np.ndarray, side: int) -> Iterator[Cut]:
    """Crops decoded images `pixels` (N, H, W, 3) uint8. One byte behind them must be readable.

    Yields a function of indices (n,), boxes (n, 4) of top, left, height, width, and flips (n,)
    bool. It starts the crops and returns a function that waits for them and returns
    (n, side, side, 3) uint8, as `framing.cut` makes it.
    """
    if pool.library() is None:
        yield lambda *drawn: partial(_cut, pixels, side, *drawn)
        return
    compiled, none = pool.Pool(1), pool.op_rows((), side)
    try:

        def start(place: np.ndarray, boxes: np.ndarray, flips: np.ndarray) -> Any:
            images = np.zeros(len(place), dtype=pool.IMAGE)
            images["data"] = pixels.ctypes.data + place.astype(np.uint64) * pixels[0].nbytes
            images["height"], images["width"] = pixels.shape[1:3]
            images["box"], images["flipped"], images["ops"] = boxes, flips, -1
            out = np.empty((len(place), side, side, 3), dtype=np.uint8)
            batch = compiled.submit(images, none, out, 1)

            def finish() -> np.ndarray:
                compiled.wait(batch)
                return out

            return finish

        yield start
    finally:
        compiled.close()


def _cut(
    pixels: np.ndarray, side: int, place: np.ndarray, boxes: np.ndarray, flips: np.ndarray
) -> np.ndarray:
    """The same crops through OpenCV."""
    out = np.empty((len(place), side, side, 3), dtype=np.uint8)
    drawn = place.tolist(), boxes.tolist(), flips.tolist()
    for k, box, flipped, image in zip(*drawn, out, strict=True):
        cut(pixels[k], box, flipped, image)
    return out


@cache
def _say_why() -> None:
    print(
        f"the compiled loader is not available ({build.load()[1] or 'of another version'}): "
        "Python decodes the same batches, but slower",
        file=sys.stderr,
        flush=True,
    )


def threads(workers: int) -> CompiledThreads | PythonThreads:
    """The threads that decode on this machine."""
    if pool.library() is not None:
        return CompiledThreads(workers)
    _say_why()
    return PythonThreads(workers)
