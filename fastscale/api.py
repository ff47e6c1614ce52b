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

    from fastscale.release.preprocess import Preprocessing


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


def load(name: str | Path, num_classes: int | None = None, fused: bool = False) -> "torch.nn.Module":
    """The trained network of that name, in eval mode on the CPU; its file's hash was checked before anything was read.

    `name`: a released name (`fastscale checkpoint list`; with or without its hash), a `.safetensors` file, an address, `hf:org/name` on a
    model hub, `pycls/<network>` and other known public weights, a training checkpoint or a run's folder. `num_classes`: another number than
    its own gives it a freshly initialised last layer. `fused`: batch norms folded into convs, for inference. InputError for what cannot
    be loaded.
    """
    from fastscale.release.load import load as load_released

    return load_released(name, num_classes, fused)


def transforms(name: str | Path) -> "Preprocessing":
    """The test preprocessing of what `load` takes: a PIL image or uint8 array -> (3, R, R) float32 tensor, as in its evaluation."""
    from fastscale.release.load import transforms as transforms_of

    return transforms_of(name)
