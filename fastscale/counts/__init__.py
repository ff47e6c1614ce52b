"""Exact flops (multiply-adds), params and acts of a network, in the paper's convention."""

from fastscale.counts.complexity import Complexity, complexity

__all__ = ["Complexity", "complexity"]
