"""What a network costs, from its definition alone: exact flops (multiply-adds), params and acts (paper, sections 2.1 and 3)."""

from fastscale.counts.complexity import Complexity, complexity
from fastscale.counts.layers import Layer
from fastscale.counts.walk import layers

__all__ = ["Complexity", "Layer", "complexity", "layers"]
