"""Which part of an image is seen, at which size, in which order: one definition for all loaders (the paper's training recipe).

Every random number is a function of (seed, epoch, image index) alone: the same for any loader, number of workers or processes, and after a
resume. Train: a random area and aspect ratio, flipped half of the time. Val: the shorter side resized to `test_resolution`, `resolution`
cut out of the middle; done as one step, the centre square cut out of the original and resized once. What AutoAugment or RandAugment then do
to a training image is drawn here too (augment/policy.py says what there is).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastscale.data.augment import policy
from fastscale.errors import InputError

TRIES = 10  # for a crop that fits, as torchvision and FFCV do; then the largest centre crop with an allowed aspect ratio
CROP_DRAWS = 1 + 4 * TRIES  # random numbers of an image that crop and flip use


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014) on uint64, which wraps around."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(seed: int, epoch: int, indices: np.ndarray, count: int, skip: int = 0) -> np.ndarray:
    """(N, count) float64 in [0, 1): the random numbers of these images in this epoch, after the first `skip` of them."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    key = _mix(np.array([seed % 2**64], dtype=np.uint64) + golden)
    key = _mix(key + np.array([epoch], dtype=np.uint64) * golden)
    key = _mix(key + np.asarray(indices).astype(np.uint64) * golden)
    numbers = _mix(key[:, None] + np.arange(skip + 1, skip + count + 1, dtype=np.uint64) * golden)
    return (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True)
class Framing:
    """Crop, flip, augmentation of a loader. `crop_area`: share of the image, `crop_ratio`: width / height, as ranges; sizes in pixels.
    `shrink_jpegs`: a JPEG decoder may halve (quarter, ...) a training image whose crop stays at least as large as `resolution`."""

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
            raise InputError(f"resolution {self.resolution}: wanted 1 to 4096 pixels")
        if self.test_resolution < self.resolution:
            raise InputError(
                f"test_resolution {self.test_resolution} is below resolution {self.resolution}: the crop is cut out of it"
            )
        low, high = self.crop_area
        if not 0 < low <= high <= 1:
            raise InputError(f"crop_area {low}, {high}: wanted 0 < low <= high <= 1")
        low, high = self.crop_ratio
        if not 0 < low <= high:
            raise InputError(f"crop_ratio {low}, {high}: wanted 0 < low <= high")
        policy.check(self.augmentation)

    def boxes(
        self, epoch: int, indices: np.ndarray, heights: np.ndarray, widths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """((N, 4) int64 top, left, height, width; (N,) bool flipped) for images of these sizes (N,)."""
        heights, widths = np.asarray(heights, dtype=np.int64), np.asarray(widths, dtype=np.int64)
        if not self.train:
            return self._centre(heights, widths), np.zeros(len(heights), dtype=bool)
        draws = uniforms(self.seed, epoch, indices, CROP_DRAWS)
        flips = (draws[:, 0] < 0.5) & self.flip
        return self._random(draws[:, 1:].reshape(-1, TRIES, 4), heights, widths), flips

    def operations(self, epoch: int, indices: np.ndarray) -> list[list[policy.Op]]:
        """What is done to each of these images after crop and flip."""
        return policy.named(self.augmentation, self.operation_numbers(epoch, indices))

    @property
    def operation_table(self) -> tuple[policy.Op, ...]:
        """The operations that may be drawn."""
        return policy.operation_table(self.augmentation)

    def operation_numbers(self, epoch: int, indices: np.ndarray) -> np.ndarray:
        """(N, MOST_OPS) int32: the same as places in `operation_table`, -1 for nothing."""
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
        out = np.stack([(heights - h) // 2, (widths - w) // 2, h, w], axis=1)  # where no try fits
        todo = np.arange(len(heights))
        for k in range(TRIES):
            u, height, width = draws[todo, k], heights[todo], widths[todo]
            area = (
                height
                * width
                * (self.crop_area[0] + u[:, 0] * (self.crop_area[1] - self.crop_area[0]))
            )
            ratio = np.exp(log_ratio[0] + u[:, 1] * (log_ratio[1] - log_ratio[0]))
            w, h = (
                np.rint(np.sqrt(area * ratio)).astype(np.int64),
                np.rint(np.sqrt(area / ratio)).astype(np.int64),
            )
            fits = (w > 0) & (h > 0) & (w <= width) & (h <= height)
            top = (u[:, 2] * (height - h + 1)).astype(np.int64)
            left = (u[:, 3] * (width - w + 1)).astype(np.int64)
            out[todo[fits]] = np.stack([top, left, h, w], axis=1)[fits]
            todo = todo[~fits]
            if not len(todo):
                break
        return out

    def order(self, indices: np.ndarray, epoch: int, rank: int = 0, world: int = 1) -> np.ndarray:
        """The images that one of `world` processes sees in an epoch. Train: shuffled, equally many each; val: in order, each image once."""
        if not self.train:
            return indices[rank::world]
        shuffled = np.random.default_rng([self.seed % 2**64, epoch]).permutation(indices)
        return shuffled[: len(indices) // world * world][rank::world]

    def check(self, images: int, batch_size: int) -> None:
        """InputError when a process that has so many images of an epoch would get no batch."""
        if not images:
            raise InputError("there are fewer images than processes: use fewer processes")
        if self.train and images < batch_size:
            raise InputError(
                f"batch_size {batch_size} is more than the {images} training images of one process"
            )


def cut(image: np.ndarray, box: list[int], flipped: bool, out: np.ndarray) -> None:
    """Resize the box of an (H, W, 3) uint8 image into `out` (R, R, 3) by area, as FFCV does, and mirror it if wanted."""
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
    """The order cut into batches."""
    count = batch_count(len(order), batch_size, drop_last)
    return [order[k * batch_size : (k + 1) * batch_size] for k in range(count)]


def batch_count(images: int, batch_size: int, drop_last: bool) -> int:
    """Batches of so many images; an incomplete last one counts unless it is dropped."""
    return images // batch_size if drop_last else -(-images // batch_size)
