"""A loader that keeps a small data set on the device, decoded once as uint8, and crops it there.

Boxes, flips and order are those of the other loaders (framing.py). On a CPU, decoding.cutting crops
the next batch in a thread, and batches equal the FFCV loader's bit for bit. On a GPU, cut_batch.py
crops a whole batch, within one level of the FFCV loader. Validation images are cropped by
`framing.cut` when they are loaded, bit for bit on any device.

Images of different sizes are padded to the largest, which costs only memory. Augmentation beyond
crop and flip is not supported.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fastscale.data.beton import JPG, Index, read_index
from fastscale.data.cut_batch import cut_batch
from fastscale.data.decoding import cutting, damaged
from fastscale.data.epochs import Epochs, Share
from fastscale.data.framing import Framing, cut
from fastscale.errors import RunError

if TYPE_CHECKING:
    from typing_extensions import Unpack

MOST = 1 << 30  # bytes of both splits up to which `auto` chooses this loader
SHARE = 0.25  # the most it takes of the machine's memory, or of a GPU's free memory
TOGETHER = 16  # batches whose boxes are drawn and sent to the device at a time
PART = 64  # images that a thread decodes at a time


def bytes_kept(rows: np.ndarray, framing: Framing, indices: np.ndarray | None = None) -> int:
    """Bytes of a split in memory: training images padded to the largest, validation images cut.

    `rows`: all images of the file, of beton.IMAGE. `indices`: the training images to keep.
    """
    if not framing.train:
        return len(rows) * 3 * framing.resolution**2
    rows = rows if indices is None else rows[indices]
    return len(rows) * 3 * int(rows["height"].max()) * int(rows["width"].max())


def why_not(
    splits: Mapping[str, tuple[Index, Framing]], train: np.ndarray | None, most: int | None = None
) -> str | None:
    """Why these splits cannot be kept on the device, or None if they can.

    `train`: the training images to use. `most`: a limit in bytes, besides SHARE of the memory.
    """
    augmentations = {framing.augmentation for _, framing in splits.values()} - {"none"}
    if augmentations:
        return f"only the other loaders support augmentation {augmentations.pop()}"
    needed = sum(bytes_kept(i.rows["image"], framing, train) for i, framing in splits.values())
    memory = int(SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if needed > min(memory, memory if most is None else most):
        return (
            f"the decoded images need {needed / 1e6:,.0f} MB, more than a quarter of this "
            f"machine's memory ({memory / 1e6:,.0f} MB)"
        )
    jpeg = any((index.rows["image"]["mode"] == JPG).any() for index, _ in splits.values())
    if jpeg and importlib.util.find_spec("ffcv") is None:
        return "the images are stored as JPEG, which FFCV decodes, and it is not installed"
    return None


class Resident:
    """The images of a `.beton` in memory.

    `pixels` (N, H, W, 3) uint8 on `device`, smaller images padded below and to the right;
    `heights`, `widths` (N,) of the images; `labels` (N,) int64 on `device`; `place` (images of the
    file,): the index of an image among them, -1 if it is not kept.

    With a validation `framing`, images are kept cropped, (N, R, R, 3). RunError for a damaged
    image, or if a GPU has too little memory.
    """

    def __init__(
        self,
        path: str | Path,
        framing: Framing,
        device: torch.device | str = "cpu",
        *,
        indices: np.ndarray | None = None,
        workers: int = 1,
    ):
        self.path, self.device, self.framing = Path(path), torch.device(device), framing
        index = read_index(path)
        kept = np.arange(len(index.rows)) if indices is None else np.asarray(indices)
        self.place = np.full(len(index.rows), -1)
        self.place[kept] = np.arange(len(kept))
        self.rows, self.sizes, self.kept = index.rows["image"][kept], index.sizes[kept], kept
        self.heights = self.rows["height"].astype(np.int64)
        self.widths = self.rows["width"].astype(np.int64)
        side = framing.resolution
        tall, wide = (self.heights.max(), self.widths.max()) if framing.train else (side, side)
        self._check_room(bytes_kept(self.rows, framing))
        size = len(kept) * int(tall) * int(wide) * 3
        host = np.zeros(size + 1, dtype=np.uint8)[:size]  # compiled code reads one byte beyond
        host = host.reshape(len(kept), tall, wide, 3)
        self._decode(framing, host, workers)
        with torch.inference_mode(False):  # if made during validation, it also serves training
            self.pixels = torch.from_numpy(host).to(self.device)
            labels = index.rows["label"][kept].astype(np.int64)
            self.labels = torch.from_numpy(labels).to(self.device)

    def serves(
        self, framing: Framing, device: torch.device, indices: np.ndarray | None = None
    ) -> bool:
        """Whether a loader with these arguments can use these images."""
        all_there = (self.place if indices is None else self.place[indices]).min() >= 0
        same = framing.train or framing == self.framing
        return bool(all_there) and same and device == self.device

    def _check_room(self, needed: int) -> None:
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            if needed > SHARE * free:
                raise RunError(
                    f"{self.path}: {needed / 1e6:,.0f} MB do not fit into a quarter of the "
                    f"{free / 1e6:,.0f} MB free on the GPU: try --data.loader ffcv"
                )

    def _decode(self, framing: Framing, out: np.ndarray, workers: int) -> None:
        file = np.memmap(self.path, dtype=np.uint8, mode="r").view(np.ndarray)
        if not framing.train:
            boxes, _ = framing.boxes(0, self.kept, self.heights, self.widths)
        jpeg, starts = (self.rows["mode"] == JPG).tolist(), self.rows["pointer"].tolist()
        sizes, heights, widths = (a.tolist() for a in (self.sizes, self.heights, self.widths))
        decode: Any = None
        if any(jpeg):
            from fastscale.data.ffcv_decoder import decode_jpeg

            decode = decode_jpeg

        def part(first: int) -> None:
            for k in range(first, min(first + PART, len(out))):
                size, h, w = sizes[k], heights[k], widths[k]
                data = file[starts[k] : starts[k] + size]
                if jpeg[k]:
                    image = np.empty((h, w, 3), dtype=np.uint8)
                    if decode(data.ctypes.data, size, h, w, image.ctypes.data):
                        raise RunError(f"{self.path}: {damaged(self.kept[k])}")
                else:
                    image = data.reshape(h, w, 3)
                if framing.train:
                    out[k, :h, :w] = image
                else:
                    cut(image, boxes[k].tolist(), False, out[k])

        with ThreadPoolExecutor(max(1, workers)) as pool:
            list(pool.map(part, range(0, len(out), PART)))


class ResidentLoader(Epochs):
    """Batches (images (N, 3, R, R) uint8 channels_last, labels (N,) int64) on the device.

    Arguments, attributes and order are GuardedLoader's. `tensors`: crop with matrix products;
    default: on a GPU.
    """

    def __init__(
        self,
        images: Resident,
        framing: Framing,
        batch_size: int,
        *,
        tensors: bool | None = None,
        **share: Unpack[Share],
    ):
        if share.get("indices") is None:
            share["indices"] = images.kept
        super().__init__(framing, batch_size, len(images.place), **share)
        self.images = images
        self.tensors = images.device.type != "cpu" if tensors is None else tensors

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch, todo = self.take_epoch()
        parts = (self._drawn(todo[k : k + TOGETHER], epoch) for k in range(0, len(todo), TOGETHER))
        drawn = (batch for part in parts for batch in part)
        if self.framing.train and not self.tensors:
            yield from self._cut_here(drawn)
            return
        kept, side = self.images, self.framing.resolution
        for place, boxes, flips in drawn:
            out = kept.pixels[place]
            if self.framing.train:
                out = cut_batch(out, boxes, flips, side)
            yield out.permute(0, 3, 1, 2), kept.labels[place]

    def _drawn(self, todo: list[np.ndarray], epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Indices, boxes and flips of some batches, on the device if they are used there."""
        kept, indices = self.images, np.concatenate(todo)
        place = kept.place[indices]
        boxes, flips = self.framing.boxes(epoch, indices, kept.heights[place], kept.widths[place])
        drawn = tuple(torch.from_numpy(x) for x in (place, boxes, flips))
        if self.tensors or not self.framing.train:
            drawn = tuple(x.to(kept.device) for x in drawn)
        yield from zip(*(x.split(self.batch_size) for x in drawn), strict=True)

    def _cut_here(
        self, drawn: Iterator[tuple[Tensor, Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        kept, side = self.images, self.framing.resolution
        pixels = kept.pixels.numpy()
        with cutting(pixels, side) as cut_some:
            behind = None
            for place, boxes, flips in drawn:
                ready = cut_some(place.numpy(), boxes.numpy(), flips.numpy())
                if behind is not None:
                    yield self._batch(*behind)
                behind = ready, kept.labels[place]
            if behind is not None:
                yield self._batch(*behind)

    @staticmethod
    def _batch(ready: Callable[[], np.ndarray], labels: Tensor) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(ready()).permute(0, 3, 1, 2), labels
