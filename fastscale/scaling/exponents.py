"""Closed-form growth of a stage's flops, params and acts as powers of the factor s.

Plain convs: Tables 1, 2 and 4; group convs: Table 3.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Exponents:
    """flops, params and acts each grow as `s**exponent`."""

    flops: Fraction
    params: Fraction
    acts: Fraction


def conv_stage(d: float, w: float, r: float) -> tuple[float, float, float]:
    """(flops, params, acts) of d plain convs of width w at r x r, up to a constant.

    d w^2 r^2, d w^2, d w r^2 (Tables 1, 2, 4).
    """
    return d * w * w * r * r, d * w * w, d * w * r * r


def group_conv_stage(d: float, w: float, r: float, g: float) -> tuple[float, float, float]:
    """The same for d group convs of group width g: d w g r^2, d w g, d w r^2 (Table 3)."""
    return d * w * g * r * r, d * w * g, d * w * r * r
