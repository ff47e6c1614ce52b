"""Chooses and makes the loaders of a data module."""

from __future__ import annotations

import importlib.util
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fastscale.common import cores, say_once
from fastscale.data.framing import Framing
from fastscale.data.images import ImageSet
from fastscale.data.resident import Resident, ResidentLoader
from fastscale.errors import InputError

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

    from fastscale.data.epochs import Share

LOADERS = ("auto", "ffcv", "plain", "resident")
PROCESSES = ("auto", "own", "here")
CPU = torch.device("cpu")


def have_ffcv() -> bool:
    """Whether FFCV is installed, without importing it."""
    return importlib.util.find_spec("ffcv") is not None


def choose(loader: str) -> str:
    """ffcv, plain or resident. InputError for any other name, and for ffcv without FFCV."""
    if loader not in LOADERS:
        raise InputError(f"unknown loader {loader!r} (choose from {', '.join(LOADERS)})")
    if loader == "auto" and not have_ffcv():
        say_once(
            "FFCV is not installed: torch's DataLoader loads the images, "
            "with the same crops in the same order, but slower"
        )
        return "plain"
    if loader == "ffcv" and not have_ffcv():
        raise InputError("loader ffcv: FFCV is not installed; install ffcv, or choose loader plain")
    return "ffcv" if loader == "auto" else loader


def check_process(process: str) -> None:
    """InputError for a value that `process` of a data module cannot have."""
    if process not in PROCESSES:
        raise InputError(f"unknown process {process!r} (choose from {', '.join(PROCESSES)})")
    if process == "own" and not hasattr(os, "memfd_create"):
        raise InputError("process own needs Linux; choose process here")


@dataclass(frozen=True)
class Place:
    """This process among those of a run. `here`: how many of them share this machine's cores."""

    rank: int = 0
    world: int = 1
    here: int = 1
    device: torch.device = CPU
    on_gpu: bool = False

    @classmethod
    def of(cls, trainer: Trainer | None, device: torch.device | str | None) -> Place:
        """The place in a trainer's run. Without a trainer: a single process on `device`."""
        if trainer is None:
            return cls(device=torch.device(device or CPU), on_gpu=torch.cuda.is_available())
        rank, world, root = trainer.global_rank, trainer.world_size, trainer.strategy.root_device
        here = max(1, world // max(1, trainer.num_nodes))
        return cls(rank, world, here, root, torch.cuda.is_available() and root.type == "cuda")


class Loaders:
    """Makes the loaders of one data module. `workers` -1: all cores of this process."""

    def __init__(self, workers: int, process: str):
        self.workers, self.process = workers, process
        self._own = weakref.WeakSet[Any]()
        self._kept: dict[Path, Resident] = {}

    def make(
        self,
        kind: str,
        images: Path | ImageSet,
        framing: Framing,
        batch_size: int,
        indices: np.ndarray | None,
        epoch: int,
        place: Place,
    ) -> Any:
        """A loader. `kind`: ffcv or resident (`images`: a `.beton`), or plain (an ImageSet)."""
        share: Share = {"indices": indices, "epoch": epoch}
        share |= {"rank": place.rank, "world": place.world}
        workers = self.workers
        if workers == -1:  # on a GPU one core is left for the thread that launches the step
            workers = max(1, cores() // place.here - place.on_gpu)
        if isinstance(images, ImageSet):
            from fastscale.data.plain_loader import PlainLoader

            return PlainLoader(images, framing, batch_size, workers=workers, **share)
        if kind == "resident":
            kept = self._resident(images, framing, indices, workers, place.device)
            return ResidentLoader(kept, framing, batch_size, **share)
        if framing.train and (self.process == "own" or (self.process == "auto" and place.on_gpu)):
            from fastscale.data.own.loader import OwnLoader

            own = OwnLoader(images, framing, batch_size, workers=workers, **share)
            size = own.ring_bytes / (1 << 20)
            say_once(f"training images are loaded in a separate process, {size:.0f} MiB shared")
            self._own.add(own)
            return own
        from fastscale.data.ffcv_loader import GuardedLoader

        return GuardedLoader(images, framing, batch_size, workers=workers, **share)

    def _resident(
        self,
        path: Path,
        framing: Framing,
        indices: np.ndarray | None,
        workers: int,
        device: torch.device,
    ) -> Resident:
        """The images of a split on the device, loaded once for every epoch and validation."""
        there = self._kept.get(path)
        if there is None or not there.serves(framing, device, indices):
            there = Resident(path, framing, device, indices=indices, workers=workers)
            self._kept[path] = there
        return there

    def close(self) -> None:
        """End the loader processes."""
        for loader in self._own:
            loader.close()
