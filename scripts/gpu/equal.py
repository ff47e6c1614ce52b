"""Whether the replayed step equals the eager one on this device, for each family, over 20 steps.

Three trainings start from the same weights and see the same batches: eager, eager again, captured.
All have mixup, clipping, momentum, a falling rate and averaged weights. Relative to how far the
weights move, the captured one may differ by `TOLERANCE`, or by three times as much as the second
eager one does: a device need not repeat itself bit for bit.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fastscale as fs
from fastscale.models import build
from fastscale.timing.step import autocast
from fastscale.training.captured import CapturedStep, StepParts
from fastscale.training.ema import update_ema
from fastscale.training.layout import memory_format, to_layout
from fastscale.training.mixup import apply_mix, draw_mix, mixed_loss
from fastscale.training.optimizer import sgd, weight_decay
from fastscale.training.recipe import load_recipe

STEPS, CLIP, EVERY = 20, 5.0, 4
TOLERANCE = 1e-3
Ends = tuple[Tensor, Tensor]


def equal(
    name: str, precision: str, batch: int, device: str, steps: int = STEPS, classes: int = 100
) -> dict[str, Any]:
    """`difference`, `control` (eager to eager), relative to the weights' movement, and `fine`."""
    runs = [("eager", False), ("eager", False), ("captured", True)]
    with repeatable():
        (start, first), (_, second), (_, captured) = (
            trained(name, precision, batch, device, steps, classes, replayed)
            for _, replayed in runs
        )
    moved = float((first - start).norm())
    difference, control = (float((w - first).norm()) / moved for w in (captured, second))
    finite = all(bool(w.isfinite().all()) for w in (first, captured))
    return {
        "steps": steps,
        "batch": batch,
        "graph": device.startswith("cuda"),
        "difference": difference,
        "control": control,
        "tolerance": TOLERANCE,
        "fine": finite and moved > 0 and difference <= max(TOLERANCE, 3 * control),
    }


@contextmanager
def repeatable() -> Iterator[None]:
    """Makes cuDNN repeat itself as far as it can."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def trained(
    name: str, precision: str, batch: int, device: str, steps: int, classes: int, replayed: bool
) -> Ends:
    """Weights, statistics and averaged weights before and after, each as one vector."""
    arch = fs.arch(name)
    recipe = replace(load_recipe("imagenet-100ep"), precision=precision, lr=0.1, batch_size=batch)
    torch.manual_seed(0)
    net = build(arch, classes).to(device)
    to_layout(net, recipe.layout)
    averaged = copy.deepcopy(net).requires_grad_(False)
    optimizer = sgd(net, recipe, weight_decay(recipe, arch))
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    kind = torch.device(device).type
    scaler = torch.amp.GradScaler(kind) if precision == "16-mixed" else None
    mixed = partial(autocast, precision, kind)
    total = torch.zeros((), device=device)
    parts = StepParts(
        net, criterion, optimizer, total, total.clone(), 1, True, CLIP, "norm", scaler, mixed
    )
    step = CapturedStep(parts, averaged, capture=kind == "cuda") if replayed else None
    start = vector(net, averaged)
    draw = torch.Generator().manual_seed(1)
    for number in range(steps):
        images = torch.randn(batch, 3, arch.resolution, arch.resolution, generator=draw)
        images = images.to(device).contiguous(memory_format=memory_format(recipe.layout))
        labels = torch.randint(classes, (batch,), generator=draw).to(device)
        for group in optimizer.param_groups:  # rounded to single precision, as in the graph
            group["lr"] = float(np.float32(0.1 * 0.95**number))
        images, share = apply_mix(images, draw_mix(recipe, 0, number))
        if step is not None:
            step(images, labels, share)
        else:
            eager(parts, images, labels, share)
        if number % EVERY == 0:
            weight = 1.0 if number < EVERY else 0.25
            if step is not None:
                step.average(weight)
            else:
                update_ema(averaged, net, weight)
    return start, vector(net, averaged)


def eager(parts: StepParts, images: Tensor, labels: Tensor, share: float) -> None:
    """A step as it is usually written."""
    parts.optimizer.zero_grad()
    with parts.autocast():
        loss = mixed_loss(parts.criterion, parts.net(images), labels, share)
    scaler = parts.scaler or torch.amp.GradScaler(enabled=False)
    scaler.scale(loss).backward()
    scaler.unscale_(parts.optimizer)
    weights = [w for group in parts.optimizer.param_groups for w in group["params"]]
    torch.nn.utils.clip_grad_norm_(weights, parts.clip)
    scaler.step(parts.optimizer)
    scaler.update()


def vector(*nets: torch.nn.Module) -> Tensor:
    """All floating-point values of the networks' states."""
    return torch.cat(
        [
            t.detach().double().flatten().cpu()
            for net in nets
            for t in net.state_dict().values()
            if t.is_floating_point()
        ]
    )
