"""Torch modules for every arch, without Lightning, and fvcore's independent count of a module."""

from fastscale.models.build import build

__all__ = ["build"]
