"""Test preprocessing: an image as the validation loaders cut, resize and normalise it (fastscale/data/framing.py)."""

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
    """Call it with an image: (3, R, R) float32, normalised RGB. `mean`, `std`: of R, G, B on the scale 0 to 255.

    The shorter side is resized to `test_resolution` px, and `resolution` px are cut out of the middle; as in the loaders that is one step.
    """

    resolution: int
    test_resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: "Image.Image | np.ndarray") -> "Tensor":
        """`image`: PIL in any mode, or a uint8 array (H, W, 3) RGB or (H, W) grey. InputError for anything else."""
        import torch

        return torch.from_numpy(self.normalised(image))

    def normalised(self, image: "Image.Image | np.ndarray") -> np.ndarray:
        """The same as an array."""
        pixels = self.pixels(image).astype(np.float32)
        normal = (pixels - np.array(self.mean, dtype=np.float32)) / np.array(
            self.std, dtype=np.float32
        )
        return np.ascontiguousarray(normal.transpose(2, 0, 1))

    def pixels(self, image: "Image.Image | np.ndarray") -> np.ndarray:
        """(R, R, 3) uint8 RGB: what a loader hands over."""
        whole = to_array(image)
        framing = Framing(False, self.resolution, self.test_resolution)
        boxes, _ = framing.boxes(
            0, np.zeros(1, dtype=np.int64), np.array([whole.shape[0]]), np.array([whole.shape[1]])
        )
        out = np.empty((self.resolution, self.resolution, 3), dtype=np.uint8)
        cut(whole, boxes[0].tolist(), False, out)
        return out


def upright(image: Image.Image) -> Image.Image:
    """A photograph as it is to be seen: turned as its EXIF orientation says, as in training.

    `decode` turns what it reads, and such an image has no `format`: nothing is turned twice.
    """
    if image.format is None:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever damaged EXIF makes PIL raise: the pixels may be whole
        return image


def to_array(image: object) -> np.ndarray:
    """An image as (H, W, 3) uint8 RGB; InputError if it is none."""
    if isinstance(image, Image.Image):
        if 0 in image.size:
            raise InputError(
                f"an image of {image.size[0]} x {image.size[1]} pixels has nothing to see"
            )
        try:
            return np.asarray(to_rgb(upright(image)))
        except Exception as error:  # a mode that has no colours, or a file that turns out damaged when it is read at last
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"an image of mode {image.mode} cannot be made RGB ({reason[:120]})"
            ) from None
    if not isinstance(image, np.ndarray):
        raise InputError(f"expected a PIL image or a uint8 array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise InputError(f"an array of pixels is uint8, from 0 to 255, not {image.dtype}")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            f"an array of pixels is (height, width, 3) RGB or (height, width) grey, not {image.shape}"
        )
    return np.ascontiguousarray(image)
