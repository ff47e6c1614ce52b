"""`build`: from an arch to its module."""

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.models.network import Network


def build(arch: Arch, num_classes: int = 1000) -> Network:
    """The torch module of `arch`: (N, 3, H, W) normalised RGB -> (N, num_classes) logits; initialised from torch's global generator."""
    if not isinstance(num_classes, int) or num_classes < 1:
        raise InputError(f"num_classes must be a whole number >= 1, got {num_classes!r}")
    return Network(arch, num_classes)
