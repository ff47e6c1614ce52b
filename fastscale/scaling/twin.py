"""`twin`: the network of equal flops whose group widths are powers of two."""

import math

from fastscale.archs import Arch
from fastscale.archs.names import factor_text
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.scaling.scale import scale
from fastscale.scaling.scale_to import ScaledTo, scale_to
from fastscale.scaling.strategy import Strategy

CLOSE = 0.03  # flops that differ by less count as equal


def twin(base: Arch, strategy: str | Strategy, factor: float) -> ScaledTo:
    """(factor, arch) with power-of-two group widths and flops within 3 % of `scale`'s.

    The factor is `factor` itself if its flops are that close, else the nearest one. InputError if
    none is: flops jump by some 10 % where a group width doubles.

    >>> from fastscale.archs import base_arch
    >>> twin(base_arch("regnety-4gf"), "dWr", 2).arch.name
    'regnety-4gf.dWr-pow2-x2.1'
    """
    paper = scale(base, strategy, factor, "paper")
    flops = complexity(paper).flops
    same = ScaledTo(factor, scale(base, strategy, factor, "power_of_two"))
    if _far(same, flops) <= CLOSE:
        return same
    found = scale_to(base, strategy, flops=flops, group_width_rounding="power_of_two")
    if _far(found, flops) > CLOSE:
        raise InputError(
            f"{paper.name} has no twin within {CLOSE:.0%} of its flops: the nearest is "
            f"x{factor_text(found.factor)}, {found.realised.flops / flops - 1:+.1%}"
        )
    return found


def _far(found: ScaledTo, flops: int) -> float:
    return math.fabs(found.realised.flops / flops - 1)
