"""The base of all loaders: a process's share of each epoch, split into batches."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from fastscale.data.framing import Framing, batch_count, batches


class Share(TypedDict, total=False):
    """Which images a loader uses.

    `indices`: the images (default: all). `epoch`: the first epoch. This process is `rank` of
    `world`; `Framing.order` defines its share.
    """

    indices: np.ndarray | None
    epoch: int
    rank: int
    world: int


class Epochs:
    """The batches of a loader over `images` images; `len` is their number in an epoch.

    `next_epoch` is the epoch of the next loop and `first_batch` its first batch; set both to
    resume a run. `framing` may be replaced between epochs. InputError if a process would get no
    batch.
    """

    def __init__(
        self,
        framing: Framing,
        batch_size: int,
        images: int,
        *,
        indices: np.ndarray | None = None,
        epoch: int = 0,
        rank: int = 0,
        world: int = 1,
    ):
        self.framing, self.batch_size = framing, batch_size
        self.indices = np.arange(images) if indices is None else np.asarray(indices)
        self.next_epoch, self.first_batch, self.rank, self.world = epoch, 0, rank, world
        self.count = len(framing.order(self.indices, 0, rank, world))  # images of any epoch
        framing.check(self.count, batch_size)

    def __len__(self) -> int:
        return batch_count(self.count, self.batch_size, drop_last=self.framing.train)

    def take_epoch(self) -> tuple[int, list[np.ndarray]]:
        """The next epoch and its batches of indices, from `first_batch` on."""
        epoch, first = self.next_epoch, self.first_batch
        self.next_epoch, self.first_batch = epoch + 1, 0
        order = self.framing.order(self.indices, epoch, self.rank, self.world)
        return epoch, batches(order, self.batch_size, drop_last=self.framing.train)[first:]
