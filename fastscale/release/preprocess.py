"""Test preprocessing: crops, resizes and normalises as the validation loaders (data/framing.py)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from fastscale.data.framing import Framing, cut
from fastscale.data.images import to_rgb
from fastscale.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """From an image to (3, R, R) float32, normalised RGB. `mean`, `std`: of R, G, B from 0 to 255.

    Resizes the shorter side to `test_resolution` px and crops the central `resolution` px, in one
    step as in the loaders.
    """

    resolution: int
    test_resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: "Image.Image | np.ndarray") -> "Tensor":
        """`image`: PIL in any mode, or a uint8 array, (H, W, 3) RGB or (H, W) grey.

        InputError for anything else.
        """
        import torch

        return torch.from_numpy(self.normalised(image))

    def normalised(self, image: "Image.Image | np.ndarray") -> np.ndarray:
        """The same as an array."""
        mean, std = (np.array(values, dtype=np.float32) for values in (self.mean, self.std))
        normal = (self.pixels(image).astype(np.float32) - mean) / std
        return np.ascontiguousarray(normal.transpose(2, 0, 1))

    def pixels(self, image: "Image.Image | np.ndarray") -> np.ndarray:
        """(R, R, 3) uint8 RGB, as from a loader."""
        whole = to_array(image)
        framing = Framing(False, self.resolution, self.test_resolution)
        boxes, _ = framing.boxes(
            0, np.zeros(1, dtype=np.int64), np.array([whole.shape[0]]), np.array([whole.shape[1]])
        )
        out = np.empty((self.resolution, self.resolution, 3), dtype=np.uint8)
        cut(whole, boxes[0].tolist(), False, out)
        return out


def upright(image: Image.Image) -> Image.Image:
    """A photograph rotated by its EXIF orientation, as in training.

    `decode` already rotates what it reads; such an image has no `format` and is not rotated again.
    """
    if image.format is None:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF can make PIL raise anything; the pixels may be intact
        return image


def to_array(image: object) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB; InputError for anything else."""
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise InputError(f"an image of {image.size[0]} x {image.size[1]} pixels is empty")
        try:
            return np.asarray(to_rgb(upright(image)))
        except Exception as error:  # a mode without colours, or a damaged file read only now
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"an image of mode {image.mode} cannot be made RGB ({reason[:120]})"
            ) from None
    if not isinstance(image, np.ndarray):
        raise InputError(f"expected a PIL image or a uint8 array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise InputError(f"an array of pixels must be uint8, from 0 to 255, not {image.dtype}")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            "an array of pixels must be (height, width, 3) RGB or (height, width) grey, "
            f"not {image.shape}"
        )
    return np.ascontiguousarray(image)
