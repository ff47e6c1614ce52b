"""Epoch time: measured step time x steps in an epoch, in minutes, as records."""

import re
from collections.abc import Callable, Sequence

import torch

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.records import Record, environment, network_fields
from fastscale.timing.step import WARMUP_STEPS, StepTime, time_steps
from fastscale.training.layout import resolve_layout
from fastscale.training.recipe import Recipe


def time_epochs(
    archs: Sequence[Arch],
    recipe: Recipe,
    *,
    data: str,
    images: int,
    num_classes: int,
    batch: int | None = None,
    device: str = "auto",
    rounds: int = 5,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Record]:
    """One "time" record a network: training step on dummy data, and the epoch of `images` images of `data` that it makes.

    `batch`: images a step on this device (the recipe's unless given). InputError for sizes that are not positive.
    """
    batch = recipe.batch_size if batch is None else batch
    if images < 1 or num_classes < 1 or batch < 1 or rounds < 1:
        raise InputError(f"images, num_classes, batch and rounds must be at least 1, got {images}, {num_classes}, {batch}, {rounds}")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise InputError(f"device {device!r}: give cpu, cuda, cuda:0, ... or auto")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device!r}: no GPU that torch can use is here; give cpu or auto")
    found = time_steps(archs, recipe, batch=batch, num_classes=num_classes, device=device, rounds=rounds, progress=progress)
    return [_record(arch, found[arch.name], recipe, data, images, num_classes, batch) for arch in archs]


def _record(arch: Arch, step: StepTime, recipe: Recipe, data: str, images: int, num_classes: int, batch: int) -> Record:
    return Record(
        kind="time",
        run=f"{arch.name}.time",
        **network_fields(arch, num_classes),
        data=data,
        values={
            "step_time_s": step.median_s,
            "step_time_spread_s": step.spread_s,
            "epoch_time_min": step.median_s * images / batch / 60,
            "images_per_s": batch / step.median_s,
        },
        env=environment(
            precision=recipe.precision,
            layout=resolve_layout(recipe.layout),
            compile=recipe.compile,
            batch=batch,
            images_per_epoch=images,
            images="dummy",
            warmup=WARMUP_STEPS,
            repeats=step.rounds,
            steps_per_repeat=step.steps,
        ),
    )
