"""Widths, bottleneck ratios and group widths made compatible, as the authors' code does."""

import math
from collections.abc import Sequence

from fastscale.errors import InputError


def compatible(width: int, bottleneck_ratio: float, group_width: int) -> tuple[int, int]:
    """(width, group width) of one stage such that the group width divides the bottleneck width.

    The bottleneck width is `v = max(1, width * bottleneck_ratio)`. g becomes `min(g, v)`, and v the
    nearest multiple of g (of `lcm(g, b)` if b > 1, so that `width = v / b` is whole).

    >>> compatible(88, 1, 16), compatible(32, 4, 24)
    ((96, 16), (30, 24))
    """
    v = int(max(1, width * bottleneck_ratio))
    g = int(min(group_width, v))
    m = math.lcm(g, int(bottleneck_ratio)) if bottleneck_ratio > 1 else g
    v = max(m, int(round(v / m) * m))
    return int(v / bottleneck_ratio), g


def compatible_stages(
    widths: Sequence[int], bottleneck_ratios: Sequence[float], group_widths: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`compatible` for every stage: (widths, group widths)."""
    pairs = [
        compatible(w, b, g) for w, b, g in zip(widths, bottleneck_ratios, group_widths, strict=True)
    ]
    return tuple(w for w, _ in pairs), tuple(g for _, g in pairs)


def bottleneck_width(name: str, width: int, bottleneck_ratio: float, group_width: int) -> int:
    """The bottleneck width of a block, which the group width must divide (InputError otherwise)."""
    v = round(width * bottleneck_ratio)
    if v < 1 or v % group_width:
        near = compatible(width, bottleneck_ratio, group_width)
        raise InputError(
            f"{name}: group width {group_width} does not divide the bottleneck width {v} "
            f"(width {width} x ratio {bottleneck_ratio:g}); "
            f"width {near[0]} with group width {near[1]} would"
        )
    return v
