"""The training step as one CUDA graph: its tensors keep their memory, so a GPU can replay it.

Forward, mixed loss, backward, clipping, SGD and the sum of losses are one graph. The update of the
averaged weights is a second one, replayed after it when due. What changes between steps is copied
into fixed tensors first: mixed images, labels, the shares of a mix, and the learning rates. On a
CPU the same code runs uncaptured and gives the same weights as Lightning's step, bit for bit.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fastscale.training.ema import update_ema
from fastscale.training.mixup import mixed_loss
from fastscale.training.optimizer import start_momentum

WARM_UP = 3  # steps before the capture, for cuDNN to choose its kernels; they are undone
CLIPPING: dict[str, Callable[[list[Tensor], float], Any]] = {
    "norm": torch.nn.utils.clip_grad_norm_,
    "value": torch.nn.utils.clip_grad_value_,
}


@dataclass(frozen=True)
class StepParts:
    """What a step is made of.

    `accumulate`: calls that make one step; the last one updates the weights. `mixed`: whether
    images are mixed, so that each has two labels. `clip`: bound of the gradients' norm, or of each
    value (`clip_by`); 0: no clipping. `scaler`: for float16. `autocast`: context of forward and
    loss. `loss_sum`, `loss_count`: each call adds its loss and 1 to them.
    """

    net: nn.Module
    criterion: nn.Module
    optimizer: torch.optim.Optimizer
    loss_sum: Tensor
    loss_count: Tensor
    accumulate: int = 1
    mixed: bool = False
    clip: float = 0.0
    clip_by: str = "norm"
    scaler: torch.amp.GradScaler | None = None
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext


@contextmanager
def recorded_graph(pool: Any = None) -> Iterator[torch.cuda.CUDAGraph]:
    """Records the block as a graph."""
    graph = torch.cuda.CUDAGraph()
    collecting = gc.isenabled()
    gc.disable()  # memory freed by the garbage collector could break the capture
    try:
        # thread-local: a loader's threads may allocate pinned memory meanwhile
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            yield graph
    finally:
        if collecting:
            gc.enable()


@contextmanager
def side_stream(device: torch.device) -> Iterator[None]:
    """Runs the block on a new stream, as CUDA requires for the steps before a capture."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)


class CapturedStep:
    """A training step of `parts`; `averaged`: the network of averaged (EMA) weights.

    `capture`: record CUDA graphs at the first batch, and again for batches of another shape. Not
    captured, it needs no GPU. RuntimeError if recording fails; the weights are then unchanged.
    """

    def __init__(self, parts: StepParts, averaged: nn.Module, capture: bool):
        self.parts, self.averaged, self.capture = parts, averaged, capture
        self.device = parts.loss_sum.device
        self.rates = [self._number(0.0) for _ in parts.optimizer.param_groups]
        self.share, self.rest, self.loss = (self._number(v) for v in (1.0, 0.0, 0.0))
        self.images = self.labels = torch.empty(0)
        self.graphs: dict[Any, Any] = {}  # by (first part, last part), or by the average's weight
        self.recorded: tuple[Any, ...] = ()  # the shapes that the graphs are for
        self.where: list[int] = []
        self.gradients: list[Tensor | None] = []  # holds the memory that the graphs write to
        start_momentum(parts.optimizer)
        if parts.scaler is not None:
            parts.scaler.scale(self.loss)  # makes its tensors

    def _number(self, value: float) -> Tensor:
        return torch.full((), value, device=self.device)

    def __call__(self, images: Tensor, labels: Tensor, share: float = 1.0, part: int = 0) -> Tensor:
        """Runs part `part` of a step; returns its loss divided by `accumulate`, as a new tensor.

        `images` (N, 3, H, W): mixed and normalised. `labels` (N,). `share`: of the first labels.
        """
        self.prepare(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.share.fill_(share)
        self.rest.fill_(1 - share)
        for rate, group in zip(self.rates, self.parts.optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        self.replay(part)
        return self.loss.clone()

    def replay(self, part: int = 0) -> None:
        """Runs a part on the batch in the buffers: that of the last call, or of `prepare`."""
        ends = (part == 0, part == self.parts.accumulate - 1)
        if self.capture:
            self.graphs[ends].replay()
        else:
            self._part(*ends)

    def average(self, weight: float) -> None:
        """averaged += weight * (weights - averaged)."""
        if not self.capture:
            update_ema(self.averaged, self.parts.net, weight)
            return
        if weight not in self.graphs:
            with self._recording(weight):
                update_ema(self.averaged, self.parts.net, weight)
        self.graphs[weight].replay()

    def prepare(self, images: Tensor, labels: Tensor) -> None:
        """Makes the buffers and records the graphs for batches of this shape, unless it has them.

        RuntimeError (also OutOfMemoryError) if they cannot be recorded.
        """
        holds = (images.shape, images.stride(), images.dtype, labels.shape)
        if holds == self.recorded:
            return
        self.forget()
        self.images, self.labels = torch.empty_like(images), torch.empty_like(labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        if self.capture:
            try:
                self._record()
            except BaseException:
                self.forget()
                raise
        self.recorded = holds

    def forget(self) -> None:
        """Drops graphs, buffers and gradients; the next call makes new ones."""
        self.graphs, self.gradients, self.recorded = {}, [], ()
        self.images = self.labels = torch.empty(0)
        self.parts.optimizer.zero_grad(set_to_none=True)

    def check_place(self) -> None:
        """Drops the graphs if weights have moved in memory, for example by a callback."""
        if self.recorded and self.capture and self.where != self._where():
            self.forget()

    def _part(self, first: bool, last: bool) -> None:
        """One part of a step: what a graph records."""
        p = self.parts
        with p.autocast():
            logits = p.net(self.images)
            mix = (self.share, self.rest) if p.mixed else (1.0,)
            loss = mixed_loss(p.criterion, logits, self.labels, *mix)
        p.loss_sum.add_(loss.detach())
        p.loss_count.add_(1)
        loss = loss / p.accumulate
        self.loss.copy_(loss.detach())
        if first:
            p.optimizer.zero_grad(set_to_none=True)
        (loss if p.scaler is None else p.scaler.scale(loss)).backward()
        if last:
            self._update()

    def _update(self) -> None:
        """Clips and updates, with the learning rates as tensors.

        Nothing waits for the device: fused SGD skips a step itself if the scaler found an overflow.
        """
        p = self.parts
        groups = p.optimizer.param_groups
        if p.clip:
            if p.scaler is not None:
                p.scaler.unscale_(p.optimizer)
            CLIPPING[p.clip_by]([w for group in groups for w in group["params"]], p.clip)
        numbers = [group["lr"] for group in groups]
        try:
            for group, rate in zip(groups, self.rates, strict=True):
                group["lr"] = rate
            if p.scaler is None:
                p.optimizer.step()
            else:
                p.scaler.step(p.optimizer)
                p.scaler.update()
        finally:
            for group, number in zip(groups, numbers, strict=True):
                group["lr"] = number

    def _record(self) -> None:
        """Warms up on a new stream and records a graph for each kind of part.

        Then it restores weights, statistics, momentum, sums, scale and random state.
        """
        accumulate = self.parts.accumulate
        kinds = [(k == 0, k == accumulate - 1) for k in range(accumulate)]
        state = self._state()
        self.where = self._where()
        kept, random = [t.detach().clone() for t in state], torch.cuda.get_rng_state(self.device)
        try:
            with side_stream(self.device):
                for kind in kinds * WARM_UP:
                    self._part(*kind)
                self.parts.optimizer.zero_grad(set_to_none=True)
            for kind in dict.fromkeys(kinds):
                with self._recording(kind):
                    self._part(*kind)
            self.gradients = [w.grad for w in self.parts.net.parameters()]
        finally:
            torch.cuda.synchronize(self.device)
            with torch.no_grad():
                torch._foreach_copy_([t.detach() for t in state], kept)
            torch.cuda.set_rng_state(random, self.device)

    @contextmanager
    def _recording(self, key: Any) -> Iterator[None]:
        """Records the block as the graph `key`."""
        pool = next((g.pool() for g in self.graphs.values()), None)
        with recorded_graph(pool) as graph:
            yield
        self.graphs[key] = graph

    def _state(self) -> list[Tensor]:
        """All that a step changes, except the gradients."""
        p = self.parts
        state = list(p.net.state_dict(keep_vars=True).values())
        for group in p.optimizer.param_groups:
            state += [t for w in group["params"] for t in p.optimizer.state.get(w, {}).values()]
        scale = [] if p.scaler is None else [p.scaler._scale, p.scaler._growth_tracker]
        return [t for t in (*state, p.loss_sum, p.loss_count, *scale) if isinstance(t, Tensor)]

    def _where(self) -> list[int]:
        """Addresses of all that the graphs read and write, averaged weights included."""
        tensors = (*self._state(), *self.averaged.state_dict(keep_vars=True).values())
        return [t.data_ptr() for t in tensors]
