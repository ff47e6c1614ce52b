"""What a network costs, from its definition alone: exact flops (multiply-adds), params and acts in the paper's convention."""

from fastscale.counts.complexity import Complexity, complexity
from fastscale.counts.layers import Layer
from fastscale.counts.walk import layers

__all__ = ["Complexity", "Layer", "complexity", "layers"]
