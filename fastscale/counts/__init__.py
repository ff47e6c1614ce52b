"""What a network costs, from its definition alone: exact flops (multiply-adds), params and acts in the paper's convention."""

from fastscale.counts.complexity import Complexity, complexity

__all__ = ["Complexity", "complexity"]
