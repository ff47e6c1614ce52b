"""What a run will cost on this device: by the runtime law where one was fitted to it, else as in its published record, or not known."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastscale.archs import Arch
from fastscale.data.sizes import SIZES
from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.records.environment import cpu_name
from fastscale.training.recipe import PRECISIONS, Recipe

if TYPE_CHECKING:
    from fastscale.planning import Device

UNKNOWN = "not known for this device: measure it with fastscale time"


@dataclass(frozen=True)
class Cost:
    """Seconds of training and MiB of one device's memory, None where nothing is known; `source`: what the seconds come from."""

    seconds: float | None = None
    memory_mib: float | None = None
    source: str = UNKNOWN


@cache
def has_gpu() -> bool:
    """Whether runs train on a GPU here (they then run one after another)."""
    if not _may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def _may_have_gpu() -> bool:
    """Whether a driver for CUDA or ROCm is there; to load torch only to be told no takes seconds."""
    if sys.platform != "linux":
        return sys.platform != "darwin"
    return any(next(Path("/dev").glob(name), None) for name in ("nvidia*", "nvhost*", "dxg", "kfd"))


def check_gpus(gpus: int, only_planned: bool) -> None:
    """InputError where so many GPUs cannot share a run here; a plan may be of another machine."""
    if gpus < 1:
        raise InputError(f"--gpus-per-run must be at least 1 without --cluster, got {gpus}")
    if gpus > 1 and not only_planned:
        import torch

        if (here := torch.cuda.device_count()) < gpus:
            raise InputError(
                f"--gpus-per-run {gpus}: this machine has {here or 'no'} GPU{'s' * (here != 1)}"
            )


@cache
def device_name() -> str:
    """What runs train on here, as records name it."""
    if not has_gpu():
        return cpu_name()
    import torch

    return torch.cuda.get_device_name(0)


def cost_of(
    arch: Arch,
    recipe: Recipe,
    data: str,
    published: Record | None = None,
    devices: int = 1,
    device: str | None = None,
) -> Cost:
    """The cost of training `arch` by `recipe` on `devices` of `device` (a name; this machine's unless given).

    Best is what this very run took on this device, then the runtime law fitted to the device, then what the run took on another. InputError
    for a given `device` of which nothing is known.
    """
    images, classes = SIZES.get(data, (None, 1000))
    images = min(recipe.limit_train or images, images) if images else None
    memory = predicted_memory(arch, recipe, classes, devices)
    taken = Cost(None, memory)
    if published is not None and "epoch_time_s" in published.values:
        seconds = published.values["epoch_time_s"] * (published.epochs or 1)
        taken = Cost(
            seconds,
            published.values.get("peak_memory_mib", memory),
            f"as published, on {published.env['device']}",
        )
        if published.env["device"] == (device or device_name()):
            return taken
    try:
        predicted = (
            predicted_seconds(arch, recipe, images, classes, devices, device or device_name())
            if images
            else None
        )
    except InputError:
        if device:
            raise
        predicted = None
    return (
        taken
        if predicted is None
        else Cost(predicted, memory, f"predicted for {device or device_name()}")
    )


def device_of(text: str, precision: str | None = None, compiled: bool = False) -> "Device":
    """The device with a runtime law that is meant, by its name or as records name it; InputError with the nearest names otherwise.

    Of records, those in the given precision (or, where there are none, in another), eager or compiled, each network in its faster layout.
    """
    found = _device_of(text, precision, compiled)
    if isinstance(found, InputError):
        raise found
    return found


@cache
def _device_of(text: str, precision: str | None, compiled: bool) -> "Device | InputError":
    """Looked for once: the runs of a plan, often hundreds, are all of the same device."""
    from fastscale.planning import device_named, shipped_devices

    squeezed = text.lower().replace(" ", "").replace("-", "")
    names = [name for name in shipped_devices() if name.lower().replace("-", "") in squeezed]
    if names:
        return device_named(max(names, key=len))
    refused = None
    for chosen in dict.fromkeys((precision or PRECISIONS[0], *PRECISIONS)):
        try:
            found = device_named(
                text, ("training",), precision=chosen, layout="best", compile=compiled
            )
            found.law("training")
            return found
        except InputError as error:
            refused = refused or error
    assert refused is not None
    return refused


def check_device(text: str, records: Iterable[Record]) -> None:
    """InputError where nothing is known of that device: it has neither a runtime law nor one of the `records`."""
    if text not in {record.env["device"] for record in records}:
        device_of(text)


def predicted_seconds(
    arch: Arch, recipe: Recipe, images: int | None, classes: int, devices: int, device: str
) -> float | None:
    """By the runtime law; None where the planner is not there, InputError where it has no law of training for the device."""
    try:
        from fastscale.planning import predict
    except ImportError:
        return None
    found = predict(
        arch,
        device_of(device, recipe.precision, recipe.compile),
        "training",
        recipe.batch_size / devices,
        images=images or 1,
        devices=devices,
        num_classes=classes,
    )
    return None if found.epoch_time_min is None else 60 * found.epoch_time_min * recipe.epochs


def predicted_memory(arch: Arch, recipe: Recipe, classes: int, devices: int) -> float | None:
    """MiB of one device, a lower bound from the network's definition; None where the planner is not there."""
    try:
        from fastscale.planning.memory import training_memory_mib
    except ImportError:
        return None
    batch = max(1, recipe.batch_size // recipe.accumulate // devices)
    return training_memory_mib(
        arch, batch, recipe.precision, average=recipe.ema_rate > 0, num_classes=classes
    )


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3.5 h`, `2.1 d`; empty for None."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
