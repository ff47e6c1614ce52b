"""Measured steps as records: epoch time or inference time.

Epoch time is the paper's: step time x steps in an epoch, in minutes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fastscale.archs import Arch
from fastscale.common import did_you_mean
from fastscale.errors import InputError
from fastscale.records import Record, environment, network_fields
from fastscale.timing.device import usable_device
from fastscale.timing.interleaved import StepTime, time_steps
from fastscale.timing.step import InferenceStep, Step, TrainingStep
from fastscale.training.layout import resolve_layout
from fastscale.training.recipe import Recipe

WHAT: dict[str, type[Step]] = {"train": TrainingStep, "inference": InferenceStep}
# of a record's run: <network>.<suffix>
SUFFIX = {"train": "time", "inference": "inference", "loader": "end-to-end"}


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
    cudnn: str = "heuristics",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[Record]:
    """One "time" record for each network: its step on dummy data, and the epoch from it.

    An epoch has `images` images of `data`. `batch`: images a step on this device (default: the
    recipe's). `what`: train or inference. `devices` above 1 adds epoch_time_normalised_min, the
    epoch time divided by `devices`, which is not measured. On a GPU each step is timed as a
    replayed CUDA graph and eagerly. `cudnn`: "heuristics", or "search" for the fastest kernels.
    InputError for invalid arguments.
    """
    batch = recipe.batch_size if batch is None else batch
    if min(images, num_classes, batch, rounds, devices) < 1 or not 0 < round_s < math.inf:
        got = f"{images}, {num_classes}, {batch}, {rounds}, {devices}"
        raise InputError(
            f"images, num_classes, batch, rounds and devices must be at least 1, got {got} "
            "(and a round's seconds finite and above 0)"
        )
    if what not in WHAT:
        raise InputError(f"unknown measurement {what!r}; {did_you_mean(what, WHAT)}")
    device = usable_device(device)
    found = time_steps(
        archs,
        recipe,
        batch=batch,
        num_classes=num_classes,
        device=device,
        rounds=rounds,
        round_s=round_s,
        cudnn=cudnn,
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
        values["first_step_s"] = step.first_s
        extra: dict[str, Any] = {
            "images_per_epoch": images,
            "images": "dummy",
            "drift": round(step.drift, 4),
        }
        if what == "train" and devices > 1:
            extra["normalised_to_devices"] = devices
        extra["rounds_took_s"] = round(step.took_s, 3)
        env = measured_under(recipe, step, asked=batch, device=device, cudnn=cudnn, **extra)
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


def time_values(step: StepTime, what: str) -> dict[str, float]:
    """A step's device time, if there is one, and its eager time. `what`: step or inference."""
    values = {}
    for clock, rounds in (("device", step.device), ("eager", step.eager)):
        if rounds is not None:
            values[f"{clock}_{what}_time_s"] = rounds.median_s
            values[f"{clock}_{what}_time_spread_s"] = rounds.spread_s
    return values


def training_values(step: StepTime, images: int, devices: int) -> dict[str, float]:
    """A training step's values, and its epoch time on one device (divided for `devices`)."""
    epoch = step.median_s * images / step.batch / 60
    return {
        **time_values(step, "step"),
        **step.eager.parts,
        "epoch_time_min": epoch,
        **({"epoch_time_normalised_min": epoch / devices} if devices > 1 else {}),
        "images_per_s": step.batch / step.median_s,
    }


def inference_values(step: StepTime) -> dict[str, float]:
    """A forward pass's values."""
    return {
        **time_values(step, "inference"),
        "inference_images_per_s": step.batch / step.median_s,
    }


def measured_under(
    recipe: Recipe,
    step: StepTime,
    *,
    asked: int,
    device: str,
    cudnn: str = "heuristics",
    **extra: Any,
) -> dict[str, Any]:
    """The environment of a step's record.

    `batch` is the one measured; `batch_asked` is added if memory did not hold the requested one.
    `repeats`, `steps_per_repeat` and `disturbed` belong to the record's main time. On a GPU,
    `cuda_graph` says whether the step was captured, and `no_cuda_graph` why not.
    """
    answer = step.answer
    if step.batch != asked:
        extra["batch_asked"] = asked
    if answer.disturbed:
        extra["disturbed"] = answer.disturbed
    if device.startswith("cuda"):
        extra |= {"cudnn": cudnn, "tf32": bool(torch.backends.cudnn.allow_tf32)}
    if step.device or step.no_graph:
        extra |= {"cuda_graph": step.device is not None, "eager_repeats": len(step.eager.seconds)}
    if step.no_graph:
        extra["no_cuda_graph"] = step.no_graph
    return environment(
        precision=recipe.precision,
        layout=resolve_layout(recipe.layout),
        compile=recipe.compile,
        batch=step.batch,
        warmup=step.warmup,
        repeats=len(answer.seconds),
        steps_per_repeat=answer.steps,
        **extra,
    )
