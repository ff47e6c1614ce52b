"""What the loaders that cut an epoch's order themselves have in common."""

from __future__ import annotations

import numpy as np

from fastscale.data.framing import Framing, batch_count, batches


class Epochs:
    """The images of a loader, epoch after epoch; `len` is the number of batches in one.

    `next_epoch` is the epoch that the next loop shows and `first_batch` the batch it starts with.
    InputError where a process would get no batch.
    """

    def __init__(
        self,
        framing: Framing,
        batch_size: int,
        indices: np.ndarray,
        epoch: int,
        rank: int,
        world: int,
    ):
        self.framing, self.batch_size, self.indices = framing, batch_size, indices
        self.next_epoch, self.first_batch, self.rank, self.world = epoch, 0, rank, world
        self.count = len(framing.order(indices, 0, rank, world))  # images of any epoch
        framing.check(self.count, batch_size)

    def __len__(self) -> int:
        return batch_count(self.count, self.batch_size, drop_last=self.framing.train)

    def take_epoch(self) -> tuple[int, list[np.ndarray]]:
        """The next epoch and its batches of images, from `first_batch` on."""
        epoch, first = self.next_epoch, self.first_batch
        self.next_epoch, self.first_batch = epoch + 1, 0
        order = self.framing.order(self.indices, epoch, self.rank, self.world)
        return epoch, batches(order, self.batch_size, drop_last=self.framing.train)[first:]
