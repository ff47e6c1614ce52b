"""Measured steps as records: epoch time as the paper defines it (step time x steps in an epoch, in minutes), or inference time."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fastscale.archs import Arch
from fastscale.common import did_you_mean
from fastscale.errors import InputError
from fastscale.records import Record, environment, network_fields
from fastscale.timing.device import usable_device
from fastscale.timing.step import InferenceStep, Step, TrainingStep
from fastscale.timing.turns import StepTime, time_steps
from fastscale.training.layout import resolve_layout
from fastscale.training.recipe import Recipe

WHAT: dict[str, type[Step]] = {"train": TrainingStep, "inference": InferenceStep}
SUFFIX = {
    "train": "time",
    "inference": "inference",
    "loader": "end-to-end",
}  # of a record's run: <network>.<suffix>


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
    round_s: float = 0.5,
    what: str = "train",
    devices: int = 1,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Record]:
    """One "time" record a network: its step on dummy data, and the epoch of `images` images of `data` that training steps make.

    `batch`: images a step on this device (the recipe's unless given). `what`: train or inference. `devices` above 1 adds the epoch time as
    so many such devices would have it (epoch_time_normalised_min), which is divided, not measured. InputError for what cannot be.
    """
    batch = recipe.batch_size if batch is None else batch
    if min(images, num_classes, batch, rounds, devices) < 1 or not 0 < round_s < math.inf:
        got = f"{images}, {num_classes}, {batch}, {rounds}, {devices}"
        raise InputError(
            f"images, num_classes, batch, rounds and devices must be at least 1, got {got} (and a round's seconds finite and above 0)"
        )
    if what not in WHAT:
        raise InputError(f"nothing to measure is called {what!r}; {did_you_mean(what, WHAT)}")
    device = usable_device(device)
    found = time_steps(
        archs,
        recipe,
        batch=batch,
        num_classes=num_classes,
        device=device,
        rounds=rounds,
        round_s=round_s,
        kind=WHAT[what],
        progress=progress,
    )
    made = []
    for arch in archs:
        step = found[arch.name]
        values = (
            training_values(step, images, devices) if what == "train" else inference_values(step)
        )
        if step.peak_memory_mib is not None:
            values["peak_memory_mib"] = step.peak_memory_mib
        extra: dict[str, Any] = {
            "images_per_epoch": images,
            "images": "dummy",
            "drift": round(step.drift, 4),
        }
        if what == "train" and devices > 1:
            extra["normalised_to_devices"] = devices
        env = envelope(recipe, step, asked=batch, device=device, **extra)
        fields = network_fields(arch, num_classes)
        made.append(
            Record(
                kind="time",
                run=f"{arch.name}.{SUFFIX[what]}",
                **fields,
                data=data,
                values=values,
                env=env,
            )
        )
    return made


def training_values(step: StepTime, images: int, devices: int) -> dict[str, float]:
    """Of a training step, and of the epoch that it makes on one device (and, divided, on `devices`)."""
    epoch = step.median_s * images / step.batch / 60
    return {
        "eager_step_time_s": step.median_s,
        "eager_step_time_spread_s": step.spread_s,
        **step.parts,
        "epoch_time_min": epoch,
        **({"epoch_time_normalised_min": epoch / devices} if devices > 1 else {}),
        "images_per_s": step.batch / step.median_s,
    }


def inference_values(step: StepTime) -> dict[str, float]:
    """Of a forward pass of one batch."""
    return {
        "eager_inference_time_s": step.median_s,
        "eager_inference_time_spread_s": step.spread_s,
        "inference_images_per_s": step.batch / step.median_s,
    }


def envelope(
    recipe: Recipe, step: StepTime, *, asked: int, device: str, **extra: Any
) -> dict[str, Any]:
    """Under what a step was measured; `batch` is the real one, and `batch_asked` says where memory did not hold more."""
    if step.batch != asked:
        extra["batch_asked"] = asked
    if step.disturbed:
        extra["disturbed"] = step.disturbed
    if device.startswith("cuda"):
        extra |= {"cudnn_benchmark": True, "tf32": bool(torch.backends.cudnn.allow_tf32)}
    return environment(
        precision=recipe.precision,
        layout=resolve_layout(recipe.layout),
        compile=recipe.compile,
        batch=step.batch,
        warmup=step.warmup,
        repeats=step.rounds,
        steps_per_repeat=step.steps,
        **extra,
    )
