"""How batches get to a GPU: copied and normalised on a stream of their own, while the step before
still runs.

A loader may use the memory of a batch again once its copy is done: a batch that has an attribute
`release` (a callable without arguments) has it called then, in the training's thread, when the next
step or batch begins. Until then the batch is kept. So a loader needs two slots more than those that
it fills.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from fastscale.training.layout import memory_format
from fastscale.training.recipe import Recipe

AHEAD = 2  # batches that the host may be ahead of the device: more would only hold memory


class Feeder:
    """`prepare`: what is done on `device` with images that came there as uint8."""

    def __init__(self, device: torch.device, prepare: Callable[[Tensor], Tensor]):
        self.device, self.prepare = device, prepare
        self.stream = torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))  # what `prepare` reads is there
        self.copying: deque[tuple[Any, Any]] = deque()  # events behind copies, and their batches
        self.begun: deque[Any] = deque()  # events before the last batches' steps

    def take(self, batch: Any) -> tuple[Tensor, Tensor]:
        """(images prepared, labels) of a batch of pinned memory, on the device; the host does not
        wait for it, the device's own stream does."""
        self.release_copied()
        images, labels = batch
        if images.device == self.device:  # a resident loader's, made on this stream
            return self.prepare(images), labels.to(self.device)
        with torch.cuda.stream(self.stream):
            pixels = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
            images = self.prepare(pixels)
        self.copying.append((copied, batch))
        here = torch.cuda.current_stream(self.device)
        here.wait_stream(self.stream)
        for tensor in (images, labels):
            tensor.record_stream(here)  # its memory belongs to the other stream
        return images, labels

    def release_copied(self) -> None:
        """Gives back, in their order, the batches whose copies are done; never waits."""
        while self.copying and self.copying[0][0].query():
            _, batch = self.copying.popleft()
            release = getattr(batch, "release", None)
            if release is not None:
                release()

    def keep_pace(self) -> None:
        """The host waits here if it is more than `AHEAD` steps ahead; others may use the
        interpreter meanwhile. Called where a step begins, so that it is no wait for data."""
        mark = torch.cuda.Event()
        mark.record()
        self.begun.append(mark)
        if len(self.begun) > AHEAD:
            self.begun.popleft().synchronize()
        self.release_copied()


class Fed(pl.LightningModule):
    """The part of the LightningModule that takes uint8 (N, 3, H, W) RGB batches, by its recipe's
    layout; `mean`, `std` per channel on the scale 0 to 255."""

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        recipe: Recipe,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ):
        super().__init__()
        self.recipe, self.mean, self.std = recipe, tuple(mean), tuple(std)
        for name, value in (("image_mean", self.mean), ("image_std", self.std)):
            number = torch.tensor(value, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, number, persistent=False)
        self.feeder: Feeder | None = None  # of a GPU

    @property
    def memory_format(self) -> torch.memory_format:
        """Of the network and of its batches: one setting for both."""
        return memory_format(self.recipe.layout)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """To a GPU while it works on what it had before; elsewhere as Lightning does."""
        if device.type != "cuda":
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        if self.feeder is None:
            self.feeder = Feeder(device, self.normalise)
        return self.feeder.take(batch)

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, Tensor], _dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """uint8 RGB -> normalised float, in the network's layout, on the device; what came through
        the feeder is that already."""
        images, labels = batch
        return (self.normalise(images) if images.dtype == torch.uint8 else images), labels

    def fed(self, batch: Any) -> tuple[Tensor, Tensor]:
        """A loader's batch as a step gets it, outside of Lightning's loops."""
        self.keep_pace()
        return self.on_after_batch_transfer(self.transfer_batch_to_device(batch, self.device, 0), 0)

    def keep_pace(self) -> None:
        """Where a step begins: the host waits if it is too far ahead of a GPU."""
        if self.feeder is not None:
            self.feeder.keep_pace()

    def normalise(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) on the scale 0 to 255 -> mean 0, std 1 over the data set."""
        return (
            (images.to(self.image_mean.dtype) - self.image_mean)
            .div_(self.image_std)
            .contiguous(memory_format=self.memory_format)
        )
