"""The LightningDataModule: any source, FFCV or the plain loader, uint8 batches. What can be wrong is found when it is made."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytorch_lightning as pl

from fastscale.data.beton import read_info
from fastscale.data.framing import Framing
from fastscale.data.images import ImageSet, spread
from fastscale.data.sources import source as find_source
from fastscale.data.write import cores
from fastscale.errors import InputError

LOADERS = ("auto", "ffcv", "plain")


def have_ffcv() -> bool:
    """Whether FFCV is installed; it is not imported."""
    return importlib.util.find_spec("ffcv") is not None


@cache
def _say_once(line: str) -> None:
    print(line, flush=True)


def combined_hash(train: str, val: str) -> str:
    """One hash of a data set, of its two splits' list digests."""
    return hashlib.sha256(f"{train}\n{val}\n".encode()).hexdigest()


class ImageData(pl.LightningDataModule):
    """Batches (images (N, 3, R, R) uint8 RGB channels_last, labels (N,) int64); the training module normalises with `mean` and `std`.

    Args:
        source: fashion-mnist, cifar10, imagenette, imagenet, folder:PATH, or the path of a folder or archive.
        data_dir: where data is kept; default $FASTSCALE_DATA or ~/.cache/fastscale.
        resolution: side of the images in a batch, pixels.
        test_resolution: val images are resized to this shorter side, then cropped to `resolution`; default 8/7 of it (256 for 224).
        batch_size: images of a training step over all processes, to which the learning rate belongs; an incomplete last one is dropped.
        eval_batch_size: images of one process in an evaluation step; default batch_size.
        workers: decoding threads (FFCV) or processes (plain) of one process; -1: the cores it has.
        loader: ffcv (reads the written .beton), plain (reads the images), auto (ffcv where it is installed).
        seed: of order, crops, flips and augmentation.
        crop_area: range of a training crop's share of the image.
        crop_ratio: range of its width / height.
        flip: mirror half of the training images.
        augmentation: of training images, after crop and flip: none, autoaugment, autoaugment-v0 or randaugment (augment/policy.py).
        limit_train: train on only so many images, the same ones every time.

    Attributes: num_classes, classes, mean, std (per channel, 0..255), train_size, val_size, data_name, data_hash (of all images),
    loader_name, augmentation.

    Raises InputError where the data is missing, damaged or cut short, or an argument can't be right.
    """

    def __init__(
        self,
        source: str = "fashion-mnist",
        data_dir: str | None = None,
        resolution: int = 224,
        test_resolution: int | None = None,
        batch_size: int = 256,
        eval_batch_size: int | None = None,
        workers: int = -1,
        loader: str = "auto",
        seed: int = 0,
        crop_area: tuple[float, float] = (0.08, 1.0),
        crop_ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: bool = True,
        limit_train: int | None = None,
        augmentation: str = "none",
    ):
        super().__init__()
        self.classes: tuple[str, ...]
        self.mean: tuple[float, ...]
        self.std: tuple[float, ...]
        self.train_size: int
        self.val_size: int
        self.data_hash: str
        self.save_hyperparameters()
        self.batch_size, self.eval_batch_size = (
            batch_size,
            batch_size if eval_batch_size is None else eval_batch_size,
        )
        for name, value in (
            ("batch_size", self.batch_size),
            ("eval_batch_size", self.eval_batch_size),
            ("limit_train", limit_train),
        ):
            if value is not None and value < 1:
                raise InputError(f"{name} {value}: wanted at least 1")
        if workers < -1:
            raise InputError(f"workers {workers}: wanted -1 (all cores) or the number")
        self.workers, self.augmentation = workers, augmentation
        test_resolution = round(resolution * 8 / 7) if test_resolution is None else test_resolution
        self.train_framing = Framing(
            True, resolution, test_resolution, crop_area, crop_ratio, flip, seed, augmentation
        )
        self.val_framing = replace(self.train_framing, train=False)
        self.source = find_source(source, data_dir)
        self.data_name: str = self.source.name
        self.loader_name = self._choose(loader)
        if self.loader_name == "ffcv":
            self._read_betons()
        else:
            self._read_images()
        self.num_classes = len(self.classes)
        self.train_indices: np.ndarray | None = None
        self.val_indices: np.ndarray | None = None  # set it to evaluate on some images only
        if limit_train is not None and limit_train < self.train_size:
            self.train_indices = spread(self.train_size, limit_train)
            self.train_size = limit_train

    @staticmethod
    def _choose(loader: str) -> str:
        if loader not in LOADERS:
            raise InputError(f"no loader {loader!r}; there are: {', '.join(LOADERS)}")
        if loader == "auto" and not have_ffcv():
            _say_once(
                "FFCV is not installed: images come through torch's DataLoader, with the same crops in the same order, but slower"
            )
            return "plain"
        if loader == "ffcv" and not have_ffcv():
            raise InputError(
                "loader ffcv: FFCV is not installed; install ffcv, or choose loader plain"
            )
        return "ffcv" if loader == "auto" else loader

    def _read_betons(self) -> None:
        self.infos = {
            s: read_info(self.source.betons / f"{s}.beton", self.source.command)
            for s in ("train", "val")
        }
        train, val = self.infos["train"], self.infos["val"]
        for split, info in self.infos.items():
            if (info.source, info.split) != (self.data_name, split):
                where = self.source.betons / f"{split}.beton"
                raise InputError(
                    f"{where}: holds {info.source} {info.split}; make it again with: {self.source.command}"
                )
        if train.classes != val.classes:
            raise InputError(
                f"{self.source.betons}: train and val have different classes; make them again with: {self.source.command}"
            )
        self.classes, self.mean, self.std = train.classes, train.mean, train.std
        self.train_size, self.val_size = train.count, val.count
        self.data_hash = combined_hash(train.list_digest, val.list_digest)

    def _read_images(self) -> None:
        self.images: dict[str, ImageSet] = {s: self.source.split(s) for s in ("train", "val")}
        train, val = self.images["train"], self.images["val"]
        self.classes, self.mean, self.std = train.classes, self.source.mean, self.source.std
        self.train_size, self.val_size = len(train), len(val)
        self.data_hash = combined_hash(train.list_digest(), val.list_digest())

    def train_dataloader(self) -> Any:
        """Shuffled; the next epoch at each loop, starting with the trainer's current one."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self._loader("train", self.train_framing, self.batch_size, self.train_indices, epoch)

    def val_dataloader(self) -> Any:
        """In order; each image exactly once over all processes; the last batch may be smaller."""
        return self._loader("val", self.val_framing, self.eval_batch_size, self.val_indices, 0)

    def test_dataloader(self) -> Any:
        """The val split: the paper's test images are ImageNet's validation set."""
        return self.val_dataloader()

    def predict_dataloader(self) -> Any:
        return self.val_dataloader()

    def share_of(self, world: int) -> int:
        """Training images a step of one of `world` processes; InputError where they cannot share alike, or there are too few images."""
        if self.batch_size % world:
            raise InputError(
                f"batch_size {self.batch_size} cannot be shared by {world} processes: wanted a multiple of {world}"
            )
        if self.train_size // world < self.batch_size // world:
            given = f"{world} processes get of" if world > 1 else "the"
            raise InputError(
                f"batch_size {self.batch_size} is more than {given} {self.train_size} training images of {self.data_name}"
            )
        return self.batch_size // world

    def _loader(
        self, split: str, framing: Framing, batch_size: int, indices: np.ndarray | None, epoch: int
    ) -> Any:
        rank, world, here = 0, 1, 1
        batch_size = (
            self.share_of(self.trainer.world_size)
            if framing.train and self.trainer is not None
            else batch_size
        )
        if self.trainer is not None:
            rank, world = self.trainer.global_rank, self.trainer.world_size
            here = max(
                1, world // max(1, self.trainer.num_nodes)
            )  # processes that share this machine's cores
        workers = max(1, cores() // here) if self.workers == -1 else self.workers
        share: dict[str, Any] = {
            "workers": workers,
            "indices": indices,
            "epoch": epoch,
            "rank": rank,
            "world": world,
        }
        if self.loader_name == "plain":
            from fastscale.data.plain_loader import PlainLoader

            return PlainLoader(self.images[split], framing, batch_size, **share)
        from fastscale.data.ffcv_loader import GuardedLoader

        return GuardedLoader(self.source.betons / f"{split}.beton", framing, batch_size, **share)
