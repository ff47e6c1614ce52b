"""Inner loops of fast.py that OpenCV lacks or runs too slowly: lookup tables and moved pixels.

numba compiles them on first use (a few seconds) and caches them on disk. Each call handles one
image on the caller's thread and releases the GIL, so parallel threads seldom wait for it.
`pixels`: (N, 3) uint8, contiguous. Unsigned indices save numba's check for negative ones, which
takes half of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, uint64

GREY = 128  # where a moved image has no pixel
FIXED, EQUALIZE, AUTOCONTRAST = range(3)  # how the table of an operation is made


def _compiled(function: Callable[..., Any]) -> Any:
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # no writable cache folder, neither beside this file nor in the user's cache
        return njit(nogil=True)(function)


@_compiled
def move(pixels: np.ndarray, positions: np.ndarray, out: np.ndarray) -> None:
    """out[i] = pixels[positions[i]], (N,) uint32; grey where that is N."""
    n = uint64(len(pixels))
    for i in range(n):
        p = positions[i]
        if p < n:
            out[i, 0], out[i, 1], out[i, 2] = pixels[p, 0], pixels[p, 1], pixels[p, 2]
        else:
            out[i, 0], out[i, 1], out[i, 2] = GREY, GREY, GREY


@_compiled
def flip_and_mask(levels: np.ndarray, threshold: int, mask: int) -> None:
    """Invert levels from the threshold on, then apply the mask; (M,) uint8.

    The loop is vectorised and several times as fast as a table.
    """
    for i in range(uint64(len(levels))):
        level = levels[i]
        levels[i] = (level if level < threshold else 255 - level) & mask


@_compiled
def look_up(pixels: np.ndarray, measured: bool, kinds: np.ndarray, fixed: np.ndarray) -> None:
    """Merge K table operations into one table and apply it.

    `measured`: count the levels first. `kinds` (K,) int64: FIXED, or how the table is made.
    `fixed` (K, 256) uint8: the tables of the FIXED operations.
    """
    counts, now = np.zeros((3, 256), dtype=np.int64), np.empty((3, 256), dtype=np.int64)
    table, step = np.empty((3, 256), dtype=np.uint8), np.empty((3, 256), dtype=np.uint8)
    if measured:
        for i in range(uint64(len(pixels))):
            for channel in range(uint64(3)):
                counts[channel, pixels[i, channel]] += 1
    for channel in range(3):
        for level in range(256):
            table[channel, level] = level
    for k in range(len(kinds)):
        for channel in range(3):  # the counts after the operations so far
            for level in range(256):
                now[channel, level] = 0
            for level in range(256):
                now[channel, table[channel, level]] += counts[channel, level]
        if kinds[k] == EQUALIZE:
            _equalize(now, step)
        elif kinds[k] == AUTOCONTRAST:
            _autocontrast(now, step)
        for channel in range(3):
            for level in range(256):
                before = table[channel, level]
                table[channel, level] = (
                    fixed[k, before] if kinds[k] == FIXED else step[channel, before]
                )
    red, green, blue = table[0], table[1], table[2]
    for i in range(uint64(len(pixels))):
        pixels[i, 0] = red[pixels[i, 0]]
        pixels[i, 1] = green[pixels[i, 1]]
        pixels[i, 2] = blue[pixels[i, 2]]


@_compiled
def _equalize(counts: np.ndarray, table: np.ndarray) -> None:
    """As PIL, in integers. A channel with a single level or few pixels stays unchanged."""
    for channel in range(3):
        last, total = 255, 0
        for level in range(256):
            total += counts[channel, level]
        while last > 0 and counts[channel, last] == 0:
            last -= 1
        step = (total - counts[channel, last]) // 255
        below = step // 2
        for level in range(256):
            table[channel, level] = min(below // step, 255) if step else level
            below += counts[channel, level]


@_compiled
def _autocontrast(counts: np.ndarray, table: np.ndarray) -> None:
    """Stretch each channel to 0..255. A channel with a single level stays unchanged."""
    for channel in range(3):
        low, high = 0, 255
        while low < 255 and counts[channel, low] == 0:
            low += 1
        while high > 0 and counts[channel, high] == 0:
            high -= 1
        scale = 255.0 / max(high - low, 1)
        for level in range(256):
            table[channel, level] = (
                min(max(int(level * scale + -low * scale), 0), 255) if high > low else level
            )
