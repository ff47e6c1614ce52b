"""`build`: makes the module of an arch."""

import os

import torch

from fastscale.archs import Arch
from fastscale.archs.check import check_classes
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.models.network import Network


def build(arch: Arch, num_classes: int = 1000, drop_path: float = 0.0) -> Network:
    """The torch module of `arch`: (N, 3, H, W) normalised RGB -> (N, num_classes) logits.

    It is initialised from torch's global generator. `drop_path`: stochastic depth: the rate at
    which a block's branch is left out in training rises linearly from 0 at the first block to this
    at the last.
    """
    check_classes(num_classes)
    if not 0 <= drop_path < 1:
        raise InputError(f"drop_path must be from 0 to below 1, got {drop_path!r}")
    if torch.get_default_device().type != "meta":
        check_memory(arch, num_classes)
    return Network(arch, num_classes, drop_path)


def check_memory(arch: Arch, num_classes: int) -> None:
    """InputError if the weights exceed this machine's memory: allocating them would kill the
    process instead of raising."""
    needed = 4 * complexity(arch, num_classes=num_classes).params
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise InputError(
            f"{arch.name}: its weights take {needed / 2**30:,.0f} GiB, "
            f"this machine has {there / 2**30:,.0f} GiB of memory"
        )
