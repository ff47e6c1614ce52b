"""The operations of pillow.py as numbers: lookup tables, integer matrices, weights."""

from __future__ import annotations

import math

import numpy as np

TABLES = ("brightness", "invert", "posterize", "solarize", "solarize_add")  # the same for any image
BITS = ("invert", "posterize", "solarize")  # need no table when they stand alone
LUMA = np.array([19595, 38470, 7471]) / 65536  # PIL's grey: ITU-R 601-2
TRUNCATE = -0.49  # PIL's blend truncates, OpenCV rounds (half to even)


def bits(name: str, value: float) -> tuple[int, int]:
    """For BITS: the level from which levels are inverted, and the mask of the bits kept."""
    if name == "posterize":
        return 256, 256 - 2 ** (8 - int(value))
    return (math.ceil(value) if name == "solarize" else 0), 255


def table(name: str, value: float) -> np.ndarray:
    """(256,) uint8 for an operation of TABLES; the identity for any other."""
    i = np.arange(256)
    if name == "brightness":
        levels = np.minimum(np.float32(value) * i.astype(np.float32), 255)
    elif name == "solarize_add":
        levels = np.where(i < 128, np.minimum(i + int(value), 255), i)
    elif name in BITS:
        threshold, mask = bits(name, value)
        levels = np.where(i < threshold, i, 255 - i) & mask
    else:
        levels = i
    return levels.astype(np.uint8)


def affine(name: str, value: float, height: int, width: int) -> tuple[int, ...]:
    """(a, b, c, d, e, f) for rotate and the shears, in PIL's 16.16 fixed point.

    Pixel (x, y) comes from column (a x + b y + c) >> 16 and row (d x + e y + f) >> 16.
    """
    matrix = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    if name == "rotate":
        angle = -math.radians(value % 360)
        cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
        x, y = width / 2, height / 2
        matrix = [cos, sin, -cos * x - sin * y + x, -sin, cos, sin * x - cos * y + y]
    else:
        matrix[{"shear_x": 1, "shear_y": 3}[name]] = value
    a, b, c, d, e, f = matrix
    exact = (a, b, c + a * 0.5 + b * 0.5, d, e, f + d * 0.5 + e * 0.5)
    return tuple(math.floor(v * 65536 + 0.5) for v in exact)


def color(value: float) -> np.ndarray:
    """(3, 4) float64: weights that mix each channel with grey, and the constant."""
    blend = np.full((3, 4), TRUNCATE)
    blend[:, :3] = (1 - value) * LUMA + value * np.eye(3)
    return blend


def sharpness(value: float) -> tuple[float, float, float]:
    """Weights of the image and of its 3 x 3 mean, and the constant.

    PIL's smooth image is (8 neighbours + 5 pixel) / 13 = (9 mean + 4 pixel) / 13.
    """
    smooth = 1 - value
    return value + smooth * 4 / 13, smooth * 9 / 13, TRUNCATE
