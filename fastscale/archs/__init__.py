"""What a network is: frozen dataclasses with everything that its counts and its module need, resolution included.

A family of one's own: derive a frozen dataclass from `Arch` (see `archs/arch.py`), `register_family`
it; a network of one's own: `register_arch`.
"""

from fastscale.archs.anynet import AnyNet
from fastscale.archs.arch import Arch
from fastscale.archs.definition import definition, from_definition
from fastscale.archs.effnet import EffNet
from fastscale.archs.registry import (
    at_resolution,
    base_arch,
    base_names,
    register_arch,
    register_family,
)
from fastscale.archs.regnet import RegNet

__all__ = [
    "AnyNet",
    "Arch",
    "EffNet",
    "RegNet",
    "at_resolution",
    "base_arch",
    "base_names",
    "definition",
    "from_definition",
    "register_arch",
    "register_family",
]
