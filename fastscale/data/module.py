"""The LightningDataModule: any source and loader, uint8 batches, all checks at construction."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from fastscale.common import IMAGENET_PIXELS, say_once
from fastscale.data.beton import Index, read_info
from fastscale.data.choice import Loaders, Place, check_process, choose
from fastscale.data.folder import SPLITS
from fastscale.data.framing import Framing
from fastscale.data.identity import combined_hash, data_hash, labels_digest
from fastscale.data.images import ImageSet, spread
from fastscale.data.info import BetonInfo
from fastscale.data.opening import open_split
from fastscale.data.resident import MOST, why_not
from fastscale.data.sources import source as find_source
from fastscale.errors import InputError

MOST_OF = {  # the largest value of integer arguments
    **dict.fromkeys(("resolution", "test_resolution"), 1 << 14),
    **dict.fromkeys(("batch_size", "eval_batch_size"), 1_000_000),
    "workers": 10_000,
    "limit_train": 1 << 40,
    "seed": 1 << 62,
}


class ImageData(pl.LightningDataModule):
    """Batches (images (N, 3, R, R) uint8 RGB channels_last, labels (N,) int64).

    The training module normalises them with `mean` and `std`.

    Args:
        source: fashion-mnist, cifar10, imagenette, imagenet, folder:PATH, or the path of a folder
            or archive.
        data_dir: where data is kept; default: $FASTSCALE_DATA or ~/.cache/fastscale.
        resolution: side of the images in a batch, in pixels.
        test_resolution: val images are resized to this shorter side, then cropped to `resolution`;
            default: 8/7 of it (256 for 224).
        batch_size: images of a training step over all processes, to which the learning rate
            belongs; an incomplete last batch is dropped.
        eval_batch_size: images of one process in an evaluation step; default: batch_size.
        workers: decoding threads (FFCV) or processes (plain) of one process; -1: all its cores,
            less one on a GPU machine for the thread that launches the step.
        process: where the FFCV loader of training images runs: own (a separate process, whose
            Python never delays the step), here (threads of this process) or auto (own on a GPU,
            else here). The batches are the same.
        loader: ffcv (reads the written .beton), plain (reads the images), resident (keeps the
            written images on the device) or auto: plain without FFCV; resident if images need at
            most 1 GiB and no augmentation beyond crop and flip (resident.py); else ffcv.
        seed: of order, crops, flips and augmentation.
        crop_area: range of a training crop's share of the image.
        crop_ratio: range of its width / height.
        flip: mirror half of the training images.
        augmentation: of training images, after crop and flip: none, autoaugment, autoaugment-v0 or
            randaugment (augment/policy.py).
        limit_train: train on only so many images, the same ones every time.
        shrink_jpegs: let the JPEG decoder halve (quarter, ...) a training image whose crop stays
            at least as large as `resolution`: faster below 200 pixels; pixels differ by 2 of 255
            on average.
        stale: if the images have changed since the .beton files were written: refuse, or ok (use
            what is stored).
        only_val: open the validation split alone; the folder train/ need not exist.

    Attributes: num_classes, classes (names in label order), mean, std (per channel, 0..255),
    train_size, val_size, data_name, loader_name, augmentation; data_hash: identity of images,
    labels, classes and stored form of the splits that are there (identity.py); stored: how storing
    changed the pixels, {} if it did not; device: where resident images are kept (default: the
    trainer's device, or the CPU).

    InputError if the data is missing, damaged or cut short, or if an argument is invalid.
    """

    def __init__(
        self,
        source: str = "fashion-mnist",
        data_dir: str | None = None,
        resolution: int = IMAGENET_PIXELS,
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
        stale: str = "refuse",
        only_val: bool = False,
        process: str = "auto",
        shrink_jpegs: bool = False,
    ):
        super().__init__()
        self.classes: tuple[str, ...]
        self.mean: tuple[float, ...]
        self.std: tuple[float, ...]
        self.train_size: int
        self.val_size: int
        self.data_hash: str
        self.stored: dict[str, Any] = {}
        self.device: torch.device | str | None = None
        self._first_hash = ""  # by scheme 1; empty if a split is missing
        self._asked = loader
        self.save_hyperparameters()
        self.batch_size = batch_size
        self.eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        sizes = {"resolution": resolution, "test_resolution": test_resolution, "seed": seed}
        sizes |= {"batch_size": batch_size, "workers": workers, "limit_train": limit_train}
        for name, value in {**sizes, "eval_batch_size": self.eval_batch_size}.items():
            if value is not None and (type(value) is not int or abs(value) > MOST_OF[name]):
                raise InputError(
                    f"{name} {str(value)[:40]}: must be a whole number up to {MOST_OF[name]:,}"
                )
            if value is not None and value < 1 and name not in ("workers", "seed"):
                raise InputError(f"{name} {value}: must be at least 1")
        if workers < -1:
            raise InputError(f"workers {workers}: must be -1 (all cores) or a number from 0")
        if stale not in ("refuse", "ok"):
            raise InputError(f"stale {stale!r}: must be refuse or ok")
        check_process(process)
        self._loaders, self.augmentation = Loaders(workers, process), augmentation
        self._stale_is_ok, self._only_val = stale == "ok", only_val
        test_resolution = round(resolution * 8 / 7) if test_resolution is None else test_resolution
        self.train_framing = Framing(
            True,
            resolution,
            test_resolution,
            crop_area,
            crop_ratio,
            flip,
            seed,
            augmentation,
            shrink_jpegs,
        )
        self.val_framing = replace(self.train_framing, train=False)
        self.source = find_source(source, data_dir)
        self.data_name: str = self.source.name
        self.loader_name = choose(loader)
        if only_val and loader == "auto" and not (self.source.betons / "val.beton").exists():
            self.loader_name = "plain"  # a folder without train/ cannot be written
        if self.loader_name == "plain":
            self._read_images()
        else:
            self._read_betons()
        self.num_classes = len(self.classes)
        self.train_indices: np.ndarray | None = None
        self.val_indices: np.ndarray | None = None  # set it to evaluate on a subset
        if limit_train is not None and limit_train < self.train_size:
            self.train_indices = spread(self.train_size, limit_train)
            self.train_size = limit_train
        if loader == "resident" and (reason := self._not_resident()):
            raise InputError(f"loader resident: {reason}; choose loader ffcv or plain")
        of_the_file = loader == "auto" and self.loader_name == "ffcv" and process != "own"
        if of_the_file and not only_val and not self._not_resident(MOST):
            self.loader_name = "resident"

    def _not_resident(self, most: int | None = None) -> str | None:
        framings = {"train": self.train_framing, "val": self.val_framing}
        splits = {split: (index, framings[split]) for split, index in self.indexes.items()}
        return why_not(splits, self.train_indices, most)

    def resume_with(self, loader: str | None) -> None:
        """Keep the loader that a run began with, if `auto` now chooses the other of two.

        Only between ffcv and resident.
        """
        if self._asked != "auto" or {loader, self.loader_name} != {"ffcv", "resident"}:
            return
        if loader == "ffcv" or not self._not_resident():
            self.loader_name = str(loader)

    def _read_betons(self) -> None:
        splits = ("val",) if self._only_val else SPLITS
        self.infos: dict[str, BetonInfo] = {}
        self.indexes: dict[str, Index] = {}
        for split in splits:
            self.infos[split], self.indexes[split] = open_split(
                self.source, split, self._stale_is_ok
            )
        if self._only_val:
            with suppress(InputError):  # only for the data hash
                train = read_info(self.source.betons / "train.beton")
                if train.classes == self.infos["val"].classes:
                    self.infos["train"] = train
        val = self.infos["val"]
        train = self.infos.get("train", val)
        if train.classes != val.classes:
            raise InputError(
                f"{self.source.betons}: train and val have different classes; "
                f"rewrite them with: {self.source.command}"
            )
        self.classes, self.mean, self.std = val.classes, val.mean, val.std
        self.train_size = train.count if not self._only_val else 0
        self.val_size = val.count
        self.stored = train.stored or val.stored
        self._identify({s: (i.list_digest, i.labels_digest) for s, i in self.infos.items()})

    def _read_images(self) -> None:
        alone = self._only_val
        self.images: dict[str, ImageSet] = {"val": self.source.split("val", alone=alone)}
        with suppress(InputError) if alone else nullcontext():
            self.images["train"] = self.source.split("train")
        for split, images in self.images.items():
            if images.left_out:
                say_once(f"{self.data_name} {split}: left out: {images.left_out}")
        val = self.images["val"]
        self.classes, self.mean, self.std = val.classes, self.source.mean, self.source.std
        self.train_size = 0 if alone else len(self.images["train"])
        self.val_size = len(val)
        self._identify(
            {s: (i.list_digest(), labels_digest(i.labels)) for s, i in self.images.items()}
        )

    def _identify(self, splits: dict[str, tuple[str, str]]) -> None:
        self.data_hash = data_hash(self.classes, splits, self.stored)
        if "train" in splits:
            self._first_hash = combined_hash(splits["train"][0], splits["val"][0])

    @property
    def beyond_recipe(self) -> dict[str, Any]:
        """Settings that change training pixels beyond the recipe; part of a run's identity."""
        return {"shrink_jpegs": True} if self.train_framing.shrink_jpegs else {}

    def same_data(self, recorded_hash: str | None) -> bool:
        """Whether a recorded hash is of this data, by the scheme of that hash.

        True for None, from a record without a hash.
        """
        return recorded_hash in (None, self.data_hash, self._first_hash or None)

    def train_dataloader(self) -> Any:
        """Shuffled batches; each loop is the next epoch, from the trainer's current one on."""
        if self._only_val:
            raise InputError(f"{self.data_name}: opened for validation alone (only_val)")
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self._loader("train", self.train_framing, self.batch_size, self.train_indices, epoch)

    def val_dataloader(self) -> Any:
        """Batches in order, each image once over all processes; the last batch may be smaller."""
        return self._loader("val", self.val_framing, self.eval_batch_size, self.val_indices, 0)

    def test_dataloader(self) -> Any:
        """The val split, as in the paper, which tests on ImageNet's validation set."""
        return self.val_dataloader()

    def predict_dataloader(self) -> Any:
        return self.val_dataloader()

    def share_of(self, world: int) -> int:
        """Training images per step of one of `world` processes.

        InputError if batch_size is no multiple of `world`, or if there are too few images.
        """
        if self.batch_size % world:
            raise InputError(
                f"batch_size {self.batch_size} cannot be shared by {world} processes: "
                f"must be a multiple of {world}"
            )
        if self.train_size // world < self.batch_size // world:
            given = f"{world} processes get of" if world > 1 else "the"
            raise InputError(
                f"batch_size {self.batch_size} is more than {given} {self.train_size} "
                f"training images of {self.data_name}"
            )
        return self.batch_size // world

    def _loader(
        self, split: str, framing: Framing, batch_size: int, indices: np.ndarray | None, epoch: int
    ) -> Any:
        place = Place.of(self.trainer, self.device)
        if framing.train and self.trainer is not None:
            batch_size = self.share_of(place.world)
        plain = self.loader_name == "plain"
        images = self.images[split] if plain else self.source.betons / f"{split}.beton"
        return self._loaders.make(
            self.loader_name, images, framing, batch_size, indices, epoch, place
        )

    def teardown(self, stage: str) -> None:
        """End the loader processes."""
        self._loaders.close()
