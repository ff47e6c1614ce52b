"""The operations through PIL, as in the published code: the reference for fast.py.

The plain loader uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from fastscale.data.augment.policy import Op

FILL = (128, 128, 128)


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(
        image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=FILL
    )


def _solarize_add(image: Image.Image, value: float) -> Image.Image:
    return image.point([min(255, int(i + value)) if i < 128 else i for i in range(256)] * 3)


# int(share * side): whole pixels, as in torchvision
OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "shear_x": lambda image, value: _affine(image, 1, value, 0, 0, 1, 0),
    "shear_y": lambda image, value: _affine(image, 1, 0, 0, value, 1, 0),
    "translate_x": lambda image, value: _affine(image, 1, 0, int(value * image.width), 0, 1, 0),
    "translate_y": lambda image, value: _affine(image, 1, 0, 0, 0, 1, int(value * image.height)),
    "rotate": lambda image, value: image.rotate(value, Image.Resampling.NEAREST, fillcolor=FILL),
    "brightness": lambda image, value: ImageEnhance.Brightness(image).enhance(value),
    "color": lambda image, value: ImageEnhance.Color(image).enhance(value),
    "contrast": lambda image, value: ImageEnhance.Contrast(image).enhance(value),
    "sharpness": lambda image, value: ImageEnhance.Sharpness(image).enhance(value),
    "posterize": lambda image, value: ImageOps.posterize(image, int(value)),
    "solarize": lambda image, value: ImageOps.solarize(image, value),  # type: ignore[arg-type]
    "solarize_add": _solarize_add,
    "autocontrast": lambda image, value: ImageOps.autocontrast(image),
    "equalize": lambda image, value: ImageOps.equalize(image),
    "invert": lambda image, value: ImageOps.invert(image),
}


def apply(pixels: np.ndarray, operations: Sequence[Op]) -> None:
    """Change an (H, W, 3) uint8 RGB image in place."""
    if operations:
        image = Image.fromarray(pixels)
        for name, value in operations:
            image = OPERATIONS[name](image, value)
        pixels[...] = np.asarray(image)
