"""Which loader feeds a data module, and the making of it."""

from __future__ import annotations

import importlib.util
import os
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fastscale.common import cores
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
    """Whether FFCV is installed; it is not imported."""
    return importlib.util.find_spec("ffcv") is not None


@cache
def say_once(line: str) -> None:
    """A line on stdout, however often it is asked for."""
    print(line, flush=True)


def choose(loader: str) -> str:
    """ffcv, plain or resident. InputError for any other, and for ffcv where it is not installed."""
    if loader not in LOADERS:
        raise InputError(f"no loader {loader!r}; there are: {', '.join(LOADERS)}")
    if loader == "auto" and not have_ffcv():
        say_once(
            "FFCV is not installed: images come through torch's DataLoader, "
            "with the same crops in the same order, but slower"
        )
        return "plain"
    if loader == "ffcv" and not have_ffcv():
        raise InputError("loader ffcv: FFCV is not installed; install ffcv, or choose loader plain")
    return "ffcv" if loader == "auto" else loader


def check_process(process: str) -> None:
    """InputError for what `process` of a data module cannot be."""
    if process not in PROCESSES:
        raise InputError(f"process {process!r}: wanted {', '.join(PROCESSES)}")
    if process == "own" and not hasattr(os, "memfd_create"):
        raise InputError("process own: needs Linux; choose process here")


@dataclass(frozen=True)
class Place:
    """This process among those of a run. `here`: how many share this machine's cores."""

    rank: int = 0
    world: int = 1
    here: int = 1
    device: torch.device = CPU
    on_gpu: bool = False

    @classmethod
    def of(cls, trainer: Trainer | None, device: torch.device | str | None) -> Place:
        """In a trainer's run; without one, alone, with resident images on `device` (the CPU)."""
        if trainer is None:
            return cls(device=torch.device(device or CPU), on_gpu=torch.cuda.is_available())
        rank, world, root = trainer.global_rank, trainer.world_size, trainer.strategy.root_device
        here = max(1, world // max(1, trainer.num_nodes))
        return cls(rank, world, here, root, torch.cuda.is_available() and root.type == "cuda")


class Loaders:
    """Makes the loaders of one data module. `workers` -1: the cores that this process has."""

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
        """`kind`: ffcv, resident (`images`: a `.beton`) or plain (`images`: a source's own)."""
        share: Share = {"indices": indices, "epoch": epoch}
        share |= {"rank": place.rank, "world": place.world}
        workers = self.workers
        if workers == -1:  # on a GPU a core is left to the thread that launches the step
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
            say_once(f"training images are loaded by a process of their own, {size:.0f} MiB shared")
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
        """The images of a split on the device: loaded once, for every epoch and validation."""
        there = self._kept.get(path)
        if there is None or not there.serves(framing, device, indices):
            there = Resident(path, framing, device, indices=indices, workers=workers)
            self._kept[path] = there
        return there

    def close(self) -> None:
        """Ends the loaders' own processes."""
        for loader in self._own:
            loader.close()
