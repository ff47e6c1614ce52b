"""Copies batches to a GPU and normalises them on a separate stream, while the last step still runs.

A loader that reuses the memory of its batches has a method `copied(images, event)`. It is called
when a batch's copy has begun, and the memory may be reused once the event is done. Memory that
torch has pinned does not need this.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

AHEAD = 2  # batches that the host may be ahead of the device; more would only take memory


def channel_values(values: Sequence[float], device: Any = None) -> Tensor:
    """A number for each channel as (1, 3, 1, 1) float32."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)


def normalised(images: Tensor, mean: Tensor, std: Tensor, layout: torch.memory_format) -> Tensor:
    """(N, 3, H, W) on the scale 0 to 255 -> mean 0, std 1 over the data set, in `layout`.

    `mean`, `std`: as `channel_values` returns them.
    """
    last = torch.channels_last
    if images.device.type == "cpu" and layout == last and images.is_contiguous(memory_format=last):
        return _normalised_rows(images.permute(0, 2, 3, 1), mean, std).permute(0, 3, 1, 2)
    return (images.to(mean.dtype) - mean).div_(std).contiguous(memory_format=layout)


def _normalised_rows(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The same for contiguous (N, H, W, 3), with a mean and a std for each place in a row.

    With one for each channel a CPU would work on vectors of three, at a tenth of the speed.
    """
    n, h, w, c = images.shape
    means, stds = (x.view(1, c).repeat(1, w) for x in (mean, std))
    rows = images.reshape(n * h, w * c).to(mean.dtype, copy=True)
    return rows.sub_(means).div_(stds).view(n, h, w, c)


class Feeder:
    """`prepare`: is called with uint8 images that have arrived on `device`."""

    def __init__(self, device: torch.device, prepare: Callable[[Tensor], Tensor]):
        self.device, self.prepare = device, prepare
        self.stream = torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))  # what `prepare` reads is there
        self.begun: deque[Any] = deque()  # events before the last batches' steps

    def take(self, batch: Any, loader: Any = None) -> tuple[Tensor, Tensor]:
        """(prepared images, labels) on the device, of a `loader`'s batch in pinned memory.

        The host does not wait for them; the device's main stream does.
        """
        images, labels = batch
        if images.device.type == self.device.type:  # from a resident loader, made on this stream
            return self.prepare(images), labels.to(self.device)
        with torch.cuda.stream(self.stream):
            pixels = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True)
            if told := getattr(loader, "copied", None):
                event = torch.cuda.Event()
                event.record()
                told(images, event)
            images = self.prepare(pixels)
        here = torch.cuda.current_stream(self.device)
        here.wait_stream(self.stream)
        for tensor in (images, labels):
            tensor.record_stream(here)  # its memory belongs to the other stream
        return images, labels

    def keep_pace(self) -> None:
        """The host waits here if it is more than `AHEAD` steps ahead; other threads keep running.

        Called where a step begins, so that this is not counted as waiting for data.
        """
        mark = torch.cuda.Event()
        mark.record()
        self.begun.append(mark)
        if len(self.begun) > AHEAD:
            self.begun.popleft().synchronize()
