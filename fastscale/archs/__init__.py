"""What a network is: frozen dataclasses with everything that its counts and its module need, resolution included."""

from fastscale.archs.anynet import AnyNet
from fastscale.archs.effnet import EffNet
from fastscale.archs.registry import base_arch, base_names
from fastscale.archs.regnet import RegNet

Arch = AnyNet | EffNet

__all__ = ["AnyNet", "Arch", "EffNet", "RegNet", "base_arch", "base_names"]
