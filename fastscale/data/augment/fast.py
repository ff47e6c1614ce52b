"""The operations of pillow.py on a uint8 array, with numba and OpenCV: faster, without the GIL.

Bit for bit as PIL: rotate, shears, translates (in PIL's 16.16 fixed-point coordinates), posterize,
solarize, invert, equalize, autocontrast, brightness. Within one grey level: color, contrast,
sharpness (PIL rounds its grey or blurred image before it blends; here the blend is one step).
Consecutive operations that are lookup tables are merged into one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np

from fastscale.data.augment import kernels, numbers
from fastscale.data.augment.policy import Op

KINDS = {
    **dict.fromkeys(numbers.TABLES, kernels.FIXED),
    "equalize": kernels.EQUALIZE,
    "autocontrast": kernels.AUTOCONTRAST,
}
_ONE_FIXED = np.array([kernels.FIXED], dtype=np.int64)


def apply(image: np.ndarray, operations: Sequence[Op], spare: np.ndarray) -> None:
    """Change an (H, W, 3) uint8 RGB image in place.

    `spare`: scratch memory of the same shape. Both arrays are contiguous.
    """
    for by_table, run in groupby(operations, lambda op: op[0] in KINDS):
        if by_table:
            tables = tuple(run)
            if len(tables) == 1 and tables[0][0] in numbers.BITS:
                kernels.flip_and_mask(image.reshape(-1), *numbers.bits(*tables[0]))
            else:
                kernels.look_up(image.reshape(-1, 3), *_tables(tables))
            continue
        for name, value in run:
            if name == "color":
                _color(image, value, spare)
            elif name == "contrast":
                _contrast(image, value)
            elif name == "sharpness":
                _sharpness(image, value, spare)
            elif name == "translate_x":
                _translate(image.swapaxes(0, 1), value, spare.swapaxes(0, 1))
            elif name == "translate_y":
                _translate(image, value, spare)
            else:
                np.copyto(spare, image)
                kernels.move(
                    spare.reshape(-1, 3),
                    _positions(name, value, image.shape[0], image.shape[1]),
                    image.reshape(-1, 3),
                )


@lru_cache(maxsize=256)
def _tables(operations: tuple[Op, ...]) -> tuple[bool, np.ndarray, np.ndarray]:
    """The arguments of kernels.look_up for these operations."""
    kinds = np.array([KINDS[name] for name, _ in operations], dtype=np.int64)
    fixed = np.stack([numbers.table(name, value) for name, value in operations])
    return bool((kinds != kernels.FIXED).any()), kinds, fixed


@lru_cache(maxsize=64)  # a policy has few values; each takes 200 KB at 224 pixels
def _positions(name: str, value: float, height: int, width: int) -> np.ndarray:
    """(H * W,) uint32: the source pixel of each pixel, H * W for none (PIL's fixed point)."""
    a, b, c, d, e, f = numbers.affine(name, value, height, width)
    column, row = np.arange(width), np.arange(height)[:, None]
    column, row = (a * column + b * row + c) >> 16, (d * column + e * row + f) >> 16
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(inside, row * width + column, height * width).astype(np.uint32).ravel()


def _translate(image: np.ndarray, value: float, spare: np.ndarray) -> None:
    """Move the image along its first axis."""
    move = int(value * len(image))
    np.copyto(spare, image)
    stay = max(0, len(image) - abs(move))
    image[...] = kernels.GREY
    image[max(0, -move) :][:stay] = spare[max(0, move) :][:stay]


def _color(image: np.ndarray, value: float, spare: np.ndarray) -> None:
    cv2.transform(image, numbers.color(value), spare)
    np.copyto(image, spare)


def _contrast(image: np.ndarray, value: float) -> None:
    """Scale contrast around the mean grey.

    PIL averages rounded grey pixels; this uses the means of the channels.
    """
    mean, factor = np.float32(int(numbers.LUMA @ cv2.mean(image)[:3] + 0.5)), np.float32(value)
    levels = np.clip(mean + factor * (np.arange(256, dtype=np.float32) - mean), 0, 255).astype(
        np.uint8
    )
    kernels.look_up(image.reshape(-1, 3), False, _ONE_FIXED, levels[None])


def _sharpness(image: np.ndarray, value: float, spare: np.ndarray) -> None:
    """Sharpen all but the border, as PIL does."""
    cv2.blur(image, (3, 3), spare)
    own, smooth, constant = numbers.sharpness(value)
    cv2.addWeighted(image, own, spare, smooth, constant, spare)
    image[1:-1, 1:-1] = spare[1:-1, 1:-1]
