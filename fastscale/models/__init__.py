"""Torch modules for every arch, and fvcore's independent count of a built module. Knows nothing of Lightning."""

from fastscale.models.build import build

__all__ = ["build"]
