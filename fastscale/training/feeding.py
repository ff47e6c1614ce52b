"""How batches get to a GPU: copied and normalised on a stream of their own, while the step before
still runs.

A loader whose batches lie in memory that it fills again has `copied(images, event)`: it is called
when a batch's copy has begun, and the memory may be filled once the event is done. Memory that torch
has pinned needs no such word.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

AHEAD = 2  # batches that the host may be ahead of the device: more would only hold memory


def channel_values(values: Sequence[float], device: Any = None) -> Tensor:
    """(1, 3, 1, 1) float32 of a number for each channel."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, 3, 1, 1)


def normalised(images: Tensor, mean: Tensor, std: Tensor, layout: torch.memory_format) -> Tensor:
    """(N, 3, H, W) on the scale 0 to 255 -> mean 0, std 1 over the data set, in the layout; `mean`
    and `std` as `channel_values` gives them."""
    last = torch.channels_last
    if images.device.type == "cpu" and layout == last and images.is_contiguous(memory_format=last):
        return _normalised_rows(images.permute(0, 2, 3, 1), mean, std).permute(0, 3, 1, 2)
    return (images.to(mean.dtype) - mean).div_(std).contiguous(memory_format=layout)


def _normalised_rows(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The same numbers of (N, H, W, 3), contiguous: a value for each place in a row, where one for
    each channel would leave a CPU with vectors of three, at a tenth of the speed."""
    n, h, w, c = images.shape
    means, stds = (x.view(1, c).repeat(1, w) for x in (mean, std))
    rows = images.reshape(n * h, w * c).to(mean.dtype, copy=True)
    return rows.sub_(means).div_(stds).view(n, h, w, c)


class Feeder:
    """`prepare`: what is done on `device` with images that came there as uint8."""

    def __init__(self, device: torch.device, prepare: Callable[[Tensor], Tensor]):
        self.device, self.prepare = device, prepare
        self.stream = torch.cuda.Stream(device)
        self.stream.wait_stream(torch.cuda.current_stream(device))  # what `prepare` reads is there
        self.begun: deque[Any] = deque()  # events before the last batches' steps

    def take(self, batch: Any, loader: Any = None) -> tuple[Tensor, Tensor]:
        """(images prepared, labels) of a `loader`'s batch of pinned memory, on the device; the host
        does not wait for it, the device's own stream does."""
        images, labels = batch
        if images.device.type == self.device.type:  # a resident loader's, made on this stream
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
        """The host waits here if it is more than `AHEAD` steps ahead; others may use the
        interpreter meanwhile. Called where a step begins, so that it is no wait for data."""
        mark = torch.cuda.Event()
        mark.record()
        self.begun.append(mark)
        if len(self.begun) > AHEAD:
            self.begun.popleft().synchronize()
