"""Python interface to the threads of batch.cpp: arrays in, pixels out."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np

from fastscale.data.augment.policy import MOST_OPS, Op
from fastscale.data.native.build import load

IMAGE = np.dtype(
    [
        ("data", "<u8"),  # an address
        ("size", "<i8"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("jpeg", "<i4"),
        ("flipped", "<i4"),
        ("box", "<i4", (4,)),  # top, left, height, width
        ("ops", "<i4", (MOST_OPS,)),  # indices into the table of operations; -1: none
    ]
)
OP = np.dtype(
    [("kind", "<i4"), ("whole", "<i4", (12,)), ("real", "<f4", (3,)), ("table", "u1", (256,))]
)
(TABLE, EQUALIZE, AUTOCONTRAST, BITS, MOVE, SHIFT_X, SHIFT_Y, COLOR, CONTRAST, SHARPEN) = range(10)


@lru_cache(maxsize=1)
def library() -> Any:
    """The library with its types declared; None if there is none (`build.load` has the reason)."""
    found = load()[0]
    if found is None:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("sizes", number, [number]),
        ("open", pointer, [number]),
        ("close", None, [pointer]),
        ("submit", pointer, [pointer, pointer, number, pointer, pointer, number, number]),
        ("wait", number, [pointer, pointer]),
    ):
        function = getattr(found, f"fastscale_{name}")
        function.restype, function.argtypes = result, arguments
    if [found.fastscale_sizes(k) for k in (0, 1)] != [IMAGE.itemsize, OP.itemsize]:
        return None  # of another version of this package
    return found


class Pool:
    """A pool of threads, until `close`. RuntimeError if they cannot be started."""

    def __init__(self, threads: int):
        self._handle = library().fastscale_open(threads)
        if not self._handle:
            raise RuntimeError(f"{threads} threads to decode images could not be started")
        self._kept: dict[int, tuple[np.ndarray, ...]] = {}  # memory of unfinished batches

    def submit(self, images: np.ndarray, ops: np.ndarray, out: np.ndarray, most: int) -> int:
        """Start a batch: `images` (N,) of IMAGE, `ops` of OP, `out` (N, R, R, 3) uint8.

        `most`: by how much the JPEG decoder may shrink an image (1, 2, 4, 8); 0: every file is
        decoded to its end. Returns the batch's handle.
        """
        batch: int = library().fastscale_submit(
            self._handle,
            images.ctypes.data,
            len(images),
            ops.ctypes.data,
            out.ctypes.data,
            out.shape[1],
            most,
        )
        self._kept[batch] = images, ops, out
        return batch

    def wait(self, batch: int) -> int:
        """Wait for a batch. Returns the first image with damaged data, or -1."""
        damaged: int = library().fastscale_wait(self._handle, batch)
        del self._kept[batch]
        return damaged

    def close(self) -> None:
        """End the threads, each after its current image."""
        if self._handle:
            library().fastscale_close(self._handle)
            self._handle = None
        self._kept.clear()


@lru_cache(maxsize=64)
def op_rows(operations: tuple[Op, ...], side: int) -> np.ndarray:
    """(N,) of OP: these operations on images of side x side pixels."""
    from fastscale.data.augment import numbers

    rows = np.zeros(max(1, len(operations)), dtype=OP)
    for row, (name, value) in zip(rows, operations, strict=False):
        if name in ("equalize", "autocontrast"):
            row["kind"] = EQUALIZE if name == "equalize" else AUTOCONTRAST
        elif name in numbers.TABLES:
            row["kind"], row["table"] = TABLE, numbers.table(name, value)
            if name in numbers.BITS:
                row["kind"], row["whole"][:2] = BITS, numbers.bits(name, value)
        elif name in ("translate_x", "translate_y"):
            row["kind"] = SHIFT_X if name == "translate_x" else SHIFT_Y
            row["whole"][0] = int(value * side)
        elif name == "color":
            row["kind"], blend = COLOR, numbers.color(value).astype(np.float32)
            blend[:, 3] += np.float32(0.5)
            row["whole"] = np.rint(blend * 1024).astype(np.int32).ravel()
        elif name == "contrast":
            row["kind"], row["real"][0] = CONTRAST, value
        elif name == "sharpness":
            row["kind"], row["real"] = SHARPEN, numbers.sharpness(value)
        else:
            row["kind"], row["whole"][:6] = MOVE, numbers.affine(name, value, side, side)
    return rows
