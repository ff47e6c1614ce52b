"""The cost of a run on this device: by the device's runtime law, or from its published record."""

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
    """Seconds of training and MiB on one device, None if unknown; `source`: of the seconds."""

    seconds: float | None = None
    memory_mib: float | None = None
    source: str = UNKNOWN


@cache
def has_gpu() -> bool:
    """Whether runs train on a GPU here, and thus one after another."""
    if not _may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def _may_have_gpu() -> bool:
    """Whether there is a driver for CUDA or ROCm; asking torch takes seconds."""
    if sys.platform != "linux":
        return sys.platform != "darwin"
    return any(next(Path("/dev").glob(name), None) for name in ("nvidia*", "nvhost*", "dxg", "kfd"))


def check_gpus(gpus: int, only_planned: bool) -> None:
    """InputError for more GPUs than this machine has; a dry run may plan for another machine."""
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
    """The device that runs train on here, as records name it."""
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
    """The cost of training `arch` with `recipe` on `devices` of `device` (default: this machine's).

    In this order: the published time of this run on this device, the device's runtime law, the
    published time on another device. InputError for an unknown `device`.
    """
    images, classes = SIZES.get(data, (None, 1000))
    images = min(recipe.limit_train or images, images) if images else None
    memory = predicted_memory(arch, recipe, classes, devices)
    target = device or device_name()
    taken = Cost(None, memory)
    if published is not None and "epoch_time_s" in published.values:
        seconds = published.values["epoch_time_s"] * (published.epochs or 1)
        peak = published.values.get("peak_memory_mib", memory)
        taken = Cost(seconds, peak, f"as published, on {published.env['device']}")
        if published.env["device"] == target:
            return taken
    if not images:
        return taken
    try:
        predicted = predicted_seconds(arch, recipe, images, classes, devices, target)
    except InputError:
        if device:
            raise
        return taken
    return taken if predicted is None else Cost(predicted, memory, f"predicted for {target}")


def device_of(text: str, precision: str | None = None, compiled: bool = False) -> "Device":
    """The device with a runtime law, by its name or its name in records.

    From records, it uses those of the given precision (or another, if there are none), eager or
    compiled, and each network's faster layout. InputError with the nearest names if there is none.
    """
    found = _device_of(text, precision, compiled)
    if isinstance(found, InputError):
        raise found
    return found


@cache
def _device_of(text: str, precision: str | None, compiled: bool) -> "Device | InputError":
    """Cached: the runs of a plan, often hundreds, all have the same device."""
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
    """InputError if the device has neither a runtime law nor one of the `records`."""
    if text not in {record.env["device"] for record in records}:
        device_of(text)


def predicted_seconds(
    arch: Arch, recipe: Recipe, images: int | None, classes: int, devices: int, device: str
) -> float | None:
    """Training time by the runtime law; None without the planner.

    InputError if the device has no law for training.
    """
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
    """MiB on one device, a lower bound from the network's definition; None without the planner."""
    try:
        from fastscale.planning.memory import training_memory_mib
    except ImportError:
        return None
    batch = max(1, recipe.batch_size // recipe.accumulate // devices)
    return training_memory_mib(
        arch, batch, recipe.precision, average=recipe.ema_rate > 0, num_classes=classes
    )
