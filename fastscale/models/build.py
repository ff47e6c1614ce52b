"""`build`: from an arch to its module."""

from fastscale.archs import Arch
from fastscale.errors import InputError
from fastscale.models.network import Network


def build(arch: Arch, num_classes: int = 1000, drop_path: float = 0.0) -> Network:
    """The torch module of `arch`: (N, 3, H, W) normalised RGB -> (N, num_classes) logits; initialised from torch's global generator.

    `drop_path`: rate at which the last block's branch is left out in training, rising linearly from 0 at the first (stochastic depth).
    """
    if not isinstance(num_classes, int) or num_classes < 1:
        raise InputError(f"num_classes must be a whole number >= 1, got {num_classes!r}")
    if not 0 <= drop_path < 1:
        raise InputError(f"drop_path must be from 0 to below 1, got {drop_path!r}")
    return Network(arch, num_classes, drop_path)
