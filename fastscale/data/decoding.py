"""The images of a batch, made by threads: compiled ones (native/), or Python's around OpenCV and numba where nothing can be compiled.

Both give the same pixels. A batch is started, others may be started behind it, and then it is waited for. Nothing here imports torch.
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

JPEG_SHRINK = 8  # how far the decoder itself may shrink a picture, where that is allowed


@dataclass(frozen=True)
class Wanted:
    """A batch to be made: `rows` (N,) are its images' rows of metadata, `file` the whole `.beton` as bytes, `sizes` (N,) bytes stored."""

    framing: Framing
    epoch: int
    indices: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    file: np.ndarray

    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """As Framing.boxes."""
        heights, widths = (self.rows[side].astype(np.int64) for side in ("height", "width"))
        return self.framing.boxes(self.epoch, self.indices, heights, widths)


def damaged(index: int) -> ValueError:
    """The error of a JPEG file that can't be decoded whole."""
    return ValueError(f"image {index}: its JPEG data is damaged")


class CompiledThreads:
    """`workers` threads of C++."""

    ids: tuple[int, ...] = ()  # none that a fork would have to wait for

    def __init__(self, workers: int):
        self.pool = pool.Pool(workers)

    def start(self, wanted: Wanted, out: np.ndarray) -> Any:
        """Starts on a batch; `out` (N, R, R, 3) uint8 is full when `finish` has returned."""
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
        """Waits for a batch; ValueError names an image that is damaged."""
        batch, wanted = ticket
        if (first := self.pool.wait(batch)) >= 0:
            raise damaged(wanted.indices[first])

    def close(self) -> None:
        """Ends the threads."""
        self.pool.close()


class PythonThreads:
    """`workers` threads of Python; each is one step of the interpreter after another, between calls that leave its lock alone."""

    def __init__(self, workers: int):
        self.workers = workers
        self.ids: list[int] = []  # the system's numbers of the threads
        self.pool = ThreadPoolExecutor(workers, initializer=self._note)

    def _note(self) -> None:
        self.ids.append(threading.get_native_id())

    def start(self, wanted: Wanted, out: np.ndarray) -> list[Future]:
        """As CompiledThreads."""
        job, count = _PythonBatch(wanted, out), len(out)
        step = max(1, count // (4 * self.workers))  # parts of unequal cost: more than threads
        return [self.pool.submit(job, k, min(k + step, count)) for k in range(0, count, step)]

    def finish(self, ticket: list[Future]) -> None:
        """As CompiledThreads."""
        for part in ticket:
            part.result()

    def close(self) -> None:
        """Ends the threads."""
        self.pool.shutdown(wait=True, cancel_futures=True)


class _PythonBatch:
    """Called for parts of a batch from several threads."""

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
    """Crops of decoded images `pixels` (N, H, W, 3) uint8, behind which a byte must be readable.

    Gives a function of places (n,), boxes (n, 4) of top, left, height, width, and flips (n,) bool:
    it starts on them, and what it returns gives (n, side, side, 3) uint8 as `framing.cut` makes it.
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
    """The same by OpenCV."""
    out = np.empty((len(place), side, side, 3), dtype=np.uint8)
    drawn = place.tolist(), boxes.tolist(), flips.tolist()
    for k, box, flipped, image in zip(*drawn, out, strict=True):
        cut(pixels[k], box, flipped, image)
    return out


@cache
def _say_why() -> None:
    print(
        f"the loader's compiled part is not there ({build.load()[1] or 'of another version'}): "
        "Python decodes instead, the same batches, but slower",
        file=sys.stderr,
        flush=True,
    )


def threads(workers: int) -> CompiledThreads | PythonThreads:
    """The threads that decode on this machine."""
    if pool.library() is not None:
        return CompiledThreads(workers)
    _say_why()
    return PythonThreads(workers)
