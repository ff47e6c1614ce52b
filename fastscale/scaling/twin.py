"""`twin`: a scaled network beside one of equal flops whose group widths are powers of two."""

import math

from fastscale.archs import Arch
from fastscale.archs.names import factor_text
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.scaling.scale import scale
from fastscale.scaling.scale_to import ScaledTo, scale_to
from fastscale.scaling.strategy import Strategy

CLOSE = 0.03  # of flops: what counts as equal


def twin(base: Arch, strategy: str | Strategy, factor: float) -> ScaledTo:
    """(factor, arch) with group widths rounded to powers of two and flops within 3 % of those of
    `scale(base, strategy, factor)`: at the same factor where that is so, else at the one that comes
    nearest.

    InputError where none comes as near: flops jump by some 10 % where a group width doubles.

    >>> from fastscale.archs import base_arch
    >>> twin(base_arch("regnety-4gf"), "dWr", 2).arch.name
    'regnety-4gf.dWr-pow2-x2.1'
    """
    own = scale(base, strategy, factor, "paper")
    flops = complexity(own).flops
    same = ScaledTo(factor, scale(base, strategy, factor, "power_of_two"))
    if _far(same, flops) <= CLOSE:
        return same
    found = scale_to(base, strategy, flops=flops, group_width_rounding="power_of_two")
    if _far(found, flops) > CLOSE:
        raise InputError(
            f"{own.name} has no twin within {CLOSE:.0%} of its flops: the nearest is "
            f"x{factor_text(found.factor)}, {found.realised.flops / flops - 1:+.1%}"
        )
    return found


def _far(found: ScaledTo, flops: int) -> float:
    return math.fabs(found.realised.flops / flops - 1)
