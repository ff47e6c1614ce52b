"""Loader, model and both together on one network and data set: which one waits for the other.

The loader alone: images/s with nothing to wait for. The model alone: a training step on dummy data.
End to end: both, with the share of the time in which the device had no batch to work on. A loader's
start-up at the start of an epoch is not counted.
"""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.records import Record, network_fields
from fastscale.timing.device import usable_device
from fastscale.timing.epoch import SUFFIX, measured_under
from fastscale.timing.interleaved import chosen_kernels, time_steps
from fastscale.timing.memory import fitting_batch
from fastscale.timing.rounds import warm_up
from fastscale.timing.step import CapturedTrainingStep, TrainingStep
from fastscale.training.feeding import Feeder, channel_values, normalised
from fastscale.training.layout import memory_format
from fastscale.training.recipe import Recipe

if TYPE_CHECKING:
    from fastscale.data.module import ImageData


def time_loader(
    arch: Arch,
    recipe: Recipe,
    source: str,
    *,
    batch: int | None = None,
    device: str = "auto",
    rounds: int = 3,
    seconds: float = 5.0,
    workers: int = -1,
    loader: str = "auto",
    data_dir: str | None = None,
) -> Record:
    """A record of training `arch` on `source`: loader, model and end to end.

    Its values: loader_images_per_s, images_per_s (the model alone), end_to_end_images_per_s and
    data_wait_share. `seconds`: of loading, and again of training. InputError for missing data.
    """
    batch = recipe.batch_size if batch is None else batch
    if batch < 1 or rounds < 1 or not 0 < seconds < math.inf:
        raise InputError(
            "batch and rounds must be at least 1 and seconds finite and above 0, "
            f"got {batch}, {rounds}, {seconds}"
        )
    device = usable_device(device)

    def data_of(size: int) -> "ImageData":
        data = images_for(
            arch, recipe, source, size, data_dir=data_dir, workers=workers, loader=loader
        )
        data.device = device
        return data

    data = data_of(batch)
    classes = data.num_classes
    model = time_steps(
        [arch], recipe, batch=batch, num_classes=classes, device=device, rounds=rounds
    )[arch.name]
    if model.batch != batch:
        data = data_of(model.batch)
    alone = loading_rate(data.train_dataloader(), seconds)
    fitted, (rate, waited) = fitting_batch(
        model.batch,
        lambda b: end_to_end(
            arch,
            recipe,
            data if b == model.batch else data_of(b),
            b,
            device,
            seconds,
            captured=model.device is not None,
        ),
    )
    values = {
        "loader_images_per_s": alone,
        "images_per_s": model.batch / model.median_s,
        "end_to_end_images_per_s": rate,
        "data_wait_share": waited,
    }
    extra: dict[str, Any] = {
        "images": "real",
        "loader": data.loader_name,
        "workers": workers,
        "augmentation": recipe.augmentation,
    }
    return Record(
        kind="time",
        run=f"{arch.name}.{SUFFIX['loader']}",
        **network_fields(arch, classes),
        data=data.data_name,
        data_hash=data.data_hash,
        values=values,
        env=measured_under(
            recipe, replace(model, batch=fitted), asked=batch, device=device, **extra
        ),
    )


def images_for(arch: Arch, recipe: Recipe, source: str, batch: int, **options: Any) -> "ImageData":
    """The images of `source` as `recipe` trains `arch` on them; `options`: see ImageData."""
    # imported here: it needs Lightning, which a machine that only times steps may lack
    from fastscale.data.module import ImageData

    return ImageData(
        source,
        resolution=arch.resolution,
        test_resolution=arch.test_resolution,
        batch_size=batch,
        crop_area=recipe.crop_area,
        flip=recipe.flip,
        augmentation=recipe.augmentation,
        **options,
    )


def loading_rate(loader: Any, seconds: float) -> float:
    """Images/s of a loader alone over about `seconds`, from each epoch's first batch on."""
    images, busy = 0, 0.0
    while busy < seconds:
        first = True
        for batch, _ in loader:
            now = time.perf_counter()
            if first:
                began, first = now, False
                spent = 0.0
                continue
            if batch.is_cuda:  # its kernels may still be running
                torch.cuda.synchronize()
                now = time.perf_counter()
            images += len(batch)
            spent = now - began
            if busy + spent >= seconds:
                break
        busy += spent
        if spent == 0.0:
            raise InputError(
                "an epoch of this data has fewer than two batches: give a smaller batch"
            )
    return images / busy


def end_to_end(
    arch: Arch,
    recipe: Recipe,
    data: Any,
    batch: int,
    device: str,
    seconds: float,
    captured: bool = False,
) -> tuple[float, float]:
    """(images/s, share of the time that the device waits), training on the loader's batches.

    Steps are captured or eager; batches are copied and normalised as in training.
    """
    kind = CapturedTrainingStep if captured else TrainingStep
    with chosen_kernels("heuristics"):
        step = kind(arch, recipe, batch, data.num_classes, device)
        warm_up(step)
        return together(step, data.train_dataloader(), data.mean, data.std, seconds)


def together(
    step: TrainingStep, loader: Any, mean: Any, std: Any, seconds: float
) -> tuple[float, float]:
    """The same for a warm step and a loader of (uint8 images, labels)."""
    device = step.device
    centre, scale = (channel_values(v, device) for v in (mean, std))
    layout = memory_format(step.recipe.layout)

    def prepare(pixels: torch.Tensor) -> torch.Tensor:
        return normalised(pixels, centre, scale, layout)

    feeder = Feeder(device, prepare) if device.type == "cuda" else None
    images, busy, waited = 0, 0.0, 0.0
    while busy < seconds:
        marks: list[Any] = []
        counted = 0
        for batch in loader:
            if not marks:
                began = time.perf_counter()
            if feeder is None:
                marks.append(step.clock.mark())
                step.images, step.labels = prepare(batch[0]), batch[1]
            else:
                step.images, step.labels = feeder.take(batch, loader)
                marks.append(step.clock.mark())
                feeder.keep_pace()
            step()
            marks.append(step.clock.mark())
            counted += len(batch[0]) if len(marks) > 2 else 0
            if counted and busy + time.perf_counter() - began >= seconds:
                break
        if not counted:
            raise InputError(
                "an epoch of this data has fewer than two batches: give a smaller batch"
            )
        # marks: a batch's arrival, its step's end, the next batch's arrival, ...
        # counted from the end of the first step
        waited += sum(
            step.clock.seconds(a, b) for a, b in zip(marks[1::2], marks[2::2], strict=False)
        )
        busy += step.clock.seconds(marks[1], marks[-1])
        images += counted
    return images / busy, min(1.0, waited / busy)
