"""The part of the LightningModule that moves batches to the device and normalises them."""

from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from fastscale.training.feeding import Feeder, channel_values, normalised
from fastscale.training.layout import memory_format
from fastscale.training.recipe import Recipe


class Fed(pl.LightningModule):
    """Takes uint8 (N, 3, H, W) RGB batches in the recipe's memory layout.

    `mean`, `std`: per channel, on the scale 0 to 255.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(
        self,
        recipe: Recipe,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ):
        super().__init__()
        self.recipe = recipe
        self.set_normalisation(mean, std)
        self.feeder: Feeder | None = None  # on a GPU only

    def set_normalisation(
        self, mean: tuple[float, float, float], std: tuple[float, float, float]
    ) -> None:
        """Sets mean and std of the images, per channel on the scale 0 to 255."""
        self.mean, self.std = tuple(mean), tuple(std)
        for name, value in (("image_mean", self.mean), ("image_std", self.std)):
            self.register_buffer(name, channel_values(value), persistent=False)

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout of the network and of its batches: one setting for both."""
        return memory_format(self.recipe.layout)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """Copies to a GPU while it works on the last batch; elsewhere as Lightning does."""
        if device.type != "cuda":
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        return self._take(batch, device, self._loader())

    def _take(self, batch: Any, device: torch.device, loader: Any) -> tuple[Tensor, Tensor]:
        if self.feeder is None:
            self.feeder = Feeder(device, self.normalise)
        return self.feeder.take(batch, loader)

    def _loader(self) -> Any:
        """The loader of the current loop."""
        trainer = self.trainer
        return trainer.train_dataloader if trainer.training else trainer.val_dataloaders

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, Tensor], _dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """uint8 RGB -> normalised float in the network's layout; the feeder has done so already."""
        images, labels = batch
        return (self.normalise(images) if images.dtype == torch.uint8 else images), labels

    def fed(self, loader: Any) -> Iterator[Tensor]:
        """A loader's images as a step receives them, for use outside Lightning's loops."""
        for batch in loader:
            if self.device.type == "cuda":
                self.keep_pace()
                yield self._take(batch, self.device, loader)[0]
            else:
                yield self.normalise(batch[0].to(self.device))

    def keep_pace(self) -> None:
        """Called where a step begins: the host waits if it is too far ahead of a GPU."""
        if self.feeder is not None:
            self.feeder.keep_pace()

    def normalise(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) on the scale 0 to 255 -> mean 0, std 1 over the data set."""
        return normalised(images, self.image_mean, self.image_std, self.memory_format)
