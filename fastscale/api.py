"""The public functions: thin, and the one place where a name stands for an arch (design: wherever an arch is taken, a name will do)."""

from pathlib import Path
from typing import TYPE_CHECKING

from fastscale import counts, scaling
from fastscale.archs import Arch, base_names
from fastscale.counts import Complexity
from fastscale.errors import InputError
from fastscale.scaling import ScaledTo, Strategy

if TYPE_CHECKING:
    import torch

    from fastscale.planning import Device, Prediction


def arch(name: str | Arch) -> Arch:
    """The network of that name, a base (`"regnety-4gf"`) or a scaled one (`"regnety-4gf.dWr-x4"`); an arch is given back as it is.

    InputError (a ValueError) with the known names, the nearest first, for any other.
    """
    return scaling.arch_named(name) if isinstance(name, str) else _known(name)


def _known(value: object) -> Arch:
    if not isinstance(value, Arch):
        raise InputError(f"expected a network's name or an arch, got {value!r}")
    return value


def list_archs() -> list[str]:
    """The names of all base networks."""
    return base_names()


def scale(base: str | Arch, strategy: str | Strategy, factor: float) -> Arch:
    """`base` grown to about `factor` times its flops; see `fastscale.scaling.scale`.

    >>> scale("regnety-4gf", "dWr", 4).resolution
    256
    """
    return scaling.scale(arch(base), strategy, factor)


def scale_to(
    base: str | Arch, strategy: str | Strategy, *, flops: float | None = None, params: float | None = None, acts: float | None = None
) -> ScaledTo:
    """(factor, arch) that come nearest to one target; `.realised` has the counts reached. See `fastscale.scaling.scale_to`."""
    return scaling.scale_to(arch(base), strategy, flops=flops, params=params, acts=acts)


def complexity(network: str | Arch, resolution: int | None = None, num_classes: int = 1000) -> Complexity:
    """Exact `.flops` (multiply-adds), `.params`, `.acts` of one image at `resolution` px (the network's own unless given)."""
    return counts.complexity(arch(network), resolution, num_classes)


def build(network: str | Arch, num_classes: int = 1000) -> "torch.nn.Module":
    """The torch module: (N, 3, H, W) normalised RGB -> (N, num_classes) logits, freshly initialised, in training mode."""
    from fastscale.models import build as build_module

    return build_module(arch(network), num_classes)


def load(path: str | Path) -> "torch.nn.Module":
    """The network of a training checkpoint or run folder, averaged or raw weights as its record says; eval mode."""
    from fastscale.training.checkpoints import load_network

    return load_network(path)


def predict_time(
    network: str | Arch,
    device: "str | Device" = "v100",
    batch: float | None = None,
    *,
    mode: str | None = None,
    images: int = 1_281_167,
    devices: int | None = None,
    resolution: int | None = None,
    num_classes: int = 1000,
    precision: str | None = None,
    layout: str | None = None,
    compile: bool | None = None,
) -> "Prediction":
    """Time of a network by the runtime law of a device, with an interval: `.epoch_time_min`, `.image_time_s`, `.low`, `.high`, `.extrapolated`.

    `device`: a named one ("v100", "rtx-4090", ...), a file of time records ("runs/records.jsonl"), or a name found in records. `mode`: "training"
    where that was measured, else "inference". `batch`: images a step on one device (the measured ones' median). `images`, `devices`: of an epoch
    (ImageNet's; 8 for named devices, 1 for records). `precision`, `layout` (or "best"), `compile`: which records, where they differ. InputError
    for an unknown device, a mode that was not measured there, records of mixed envelopes.
    """
    from fastscale import planning

    found = planning.device_named(device, precision=precision, layout=layout, compile=compile)
    return planning.predict(
        arch(network), found, mode, batch, images=images, devices=devices, resolution=resolution, num_classes=num_classes
    )
