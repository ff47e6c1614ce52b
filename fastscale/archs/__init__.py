"""Networks as frozen dataclasses, with all that counts and modules need, resolution included.

To add your own network, call `register_arch`. To add a family, derive a frozen dataclass from
`Arch` (see `archs/arch.py`) and call `register_family`.
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
