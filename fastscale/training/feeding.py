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

import torch
from torch import Tensor

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
