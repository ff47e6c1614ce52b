"""Crops, flips, augmentation and order of images, the same for all loaders (the paper's recipe).

Every random number is a function of (seed, epoch, image index) alone: it does not depend on the
loader or on the number of workers and processes, and stays the same after a resume.

Train: a crop of random area and aspect ratio, flipped half of the time; then AutoAugment or
RandAugment (augment/policy.py). Val: the shorter side is resized to `test_resolution` and the
centre `resolution` is cropped. Both are one step: the centre square of the original, resized once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastscale.data.augment import policy
from fastscale.errors import InputError

# tries for a crop that fits; then the largest centre crop with an allowed aspect ratio, as in
# torchvision and FFCV
TRIES = 10
CROP_DRAWS = 1 + 4 * TRIES  # random numbers that the crop and flip of an image use


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014) on uint64, which wraps around."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(seed: int, epoch: int, indices: np.ndarray, count: int, skip: int = 0) -> np.ndarray:
    """(N, count) float64 in [0, 1): random numbers of these images in this epoch.

    The first `skip` numbers of each image are skipped.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    key = _mix(np.array([seed % 2**64], dtype=np.uint64) + golden)
    key = _mix(key + np.array([epoch], dtype=np.uint64) * golden)
    key = _mix(key + np.asarray(indices).astype(np.uint64) * golden)
    numbers = _mix(key[:, None] + np.arange(skip + 1, skip + count + 1, dtype=np.uint64) * golden)
    return (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True)
class Framing:
    """Crop, flip and augmentation of a loader. Sizes are in pixels.

    `crop_area`, `crop_ratio`: ranges of the crop's share of the image and of its width / height.
    `shrink_jpegs`: the JPEG decoder may halve (quarter, ...) a training image whose crop stays at
    least as large as `resolution`.
    """

    train: bool
    resolution: int
    test_resolution: int
    crop_area: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    seed: int = 0
    augmentation: str = "none"
    shrink_jpegs: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.resolution <= 4096:
            raise InputError(f"resolution {self.resolution}: must be 1 to 4096 pixels")
        if self.test_resolution < self.resolution:
            raise InputError(
                f"test_resolution {self.test_resolution} must be at least resolution "
                f"{self.resolution}: the crop is taken from it"
            )
        low, high = self.crop_area
        if not 0 < low <= high <= 1:
            raise InputError(f"crop_area {low}, {high}: must meet 0 < low <= high <= 1")
        low, high = self.crop_ratio
        if not 0 < low <= high:
            raise InputError(f"crop_ratio {low}, {high}: must meet 0 < low <= high")
        policy.check(self.augmentation)

    def boxes(
        self, epoch: int, indices: np.ndarray, heights: np.ndarray, widths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Crops for images of these sizes (N,).

        Returns (N, 4) int64 of top, left, height, width, and (N,) bool of flips.
        """
        heights, widths = np.asarray(heights, dtype=np.int64), np.asarray(widths, dtype=np.int64)
        if not self.train:
            return self._centre(heights, widths), np.zeros(len(heights), dtype=bool)
        draws = uniforms(self.seed, epoch, indices, CROP_DRAWS)
        flips = (draws[:, 0] < 0.5) & self.flip
        return self._random(draws[:, 1:].reshape(-1, TRIES, 4), heights, widths), flips

    def operations(self, epoch: int, indices: np.ndarray) -> list[list[policy.Op]]:
        """The augmentation of each of these images, after crop and flip."""
        return policy.named(self.augmentation, self.operation_numbers(epoch, indices))

    @property
    def operation_table(self) -> tuple[policy.Op, ...]:
        """The operations that may be drawn."""
        return policy.operation_table(self.augmentation)

    def operation_numbers(self, epoch: int, indices: np.ndarray) -> np.ndarray:
        """(N, MOST_OPS) int32: the operations as indices into `operation_table`, -1 for none."""
        if not self.train or self.augmentation == "none":
            return np.full((len(indices), policy.MOST_OPS), -1, dtype=np.int32)
        draws = uniforms(self.seed, epoch, indices, policy.DRAWS, skip=CROP_DRAWS)
        return policy.numbers(self.augmentation, draws)

    def _centre(self, heights: np.ndarray, widths: np.ndarray) -> np.ndarray:
        side = np.maximum(np.minimum(heights, widths) * self.resolution // self.test_resolution, 1)
        return np.stack([(heights - side) // 2, (widths - side) // 2, side, side], axis=1)

    def _random(self, draws: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> np.ndarray:
        (low, high), log_ratio = self.crop_ratio, np.log(self.crop_ratio)
        shape = widths / heights
        h = np.where(shape < low, np.rint(widths / low).astype(np.int64), heights)
        w = np.where(shape > high, np.rint(heights * high).astype(np.int64), widths)
        h, w = np.clip(h, 1, heights), np.clip(w, 1, widths)
        out = np.stack([(heights - h) // 2, (widths - w) // 2, h, w], axis=1)  # if no try fits
        todo = np.arange(len(heights))
        for k in range(TRIES):
            u, height, width = draws[todo, k], heights[todo], widths[todo]
            least, most = self.crop_area
            area = height * width * (least + u[:, 0] * (most - least))
            ratio = np.exp(log_ratio[0] + u[:, 1] * (log_ratio[1] - log_ratio[0]))
            w = np.rint(np.sqrt(area * ratio)).astype(np.int64)
            h = np.rint(np.sqrt(area / ratio)).astype(np.int64)
            fits = (w > 0) & (h > 0) & (w <= width) & (h <= height)
            top = (u[:, 2] * (height - h + 1)).astype(np.int64)
            left = (u[:, 3] * (width - w + 1)).astype(np.int64)
            out[todo[fits]] = np.stack([top, left, h, w], axis=1)[fits]
            todo = todo[~fits]
            if not len(todo):
                break
        return out

    def order(self, indices: np.ndarray, epoch: int, rank: int = 0, world: int = 1) -> np.ndarray:
        """The images that process `rank` of `world` sees in an epoch.

        Train: shuffled, the same number for every process. Val: in order, each image once.
        """
        if not self.train:
            return indices[rank::world]
        shuffled = np.random.default_rng([self.seed % 2**64, epoch]).permutation(indices)
        return shuffled[: len(indices) // world * world][rank::world]

    def check(self, images: int, batch_size: int) -> None:
        """InputError if a process with this many images would get no batch."""
        if not images:
            raise InputError("fewer images than processes: use fewer processes")
        if self.train and images < batch_size:
            raise InputError(
                f"batch_size {batch_size} is more than the {images} training images of one process"
            )


def cut(image: np.ndarray, box: list[int], flipped: bool, out: np.ndarray) -> None:
    """Resize the box of an (H, W, 3) uint8 image to `out` (R, R, 3) by area, as FFCV does."""
    import cv2

    top, left, height, width = box
    cv2.resize(
        image[top : top + height, left : left + width],
        (out.shape[1], out.shape[0]),
        dst=out,
        interpolation=cv2.INTER_AREA,
    )
    if flipped:
        cv2.flip(out, 1, out)


def batches(order: np.ndarray, batch_size: int, drop_last: bool) -> list[np.ndarray]:
    """The order, split into batches."""
    count = batch_count(len(order), batch_size, drop_last)
    return [order[k * batch_size : (k + 1) * batch_size] for k in range(count)]


def batch_count(images: int, batch_size: int, drop_last: bool) -> int:
    """The number of batches. An incomplete last one counts unless it is dropped."""
    return images // batch_size if drop_last else -(-images // batch_size)
