"""Whether networks that are compared have equal flops, and differ in every dimension that their
strategy scales.
"""

from typing import TYPE_CHECKING

from fastscale.archs.names import NetworkName
from fastscale.scaling import Strategy, arch_named

if TYPE_CHECKING:
    from fastscale.paper.paired import Trained

MATCHED = 1.03  # of flops, largest over smallest: what counts as equal
# a strategy's share -> the field of a network that it moves
_DIMENSIONS = {
    "depth": "depths",
    "width": "widths",
    "resolution": "resolution",
    "group_width": "group_widths",
}


def apart(found: "Trained", base: str, size: float) -> float:
    """The largest flops of a base's networks of a size over the smallest."""
    flops = [c.counts.flops for c in found.cells if c.strategy and (c.base, c.size) == (base, size)]
    return max(flops) / min(flops) if flops else 1.0


def matched(found: "Trained") -> bool:
    """Whether all that are compared have equal flops, within 3 %."""
    bases = found.plan.bases
    return all(apart(found, base, size) <= MATCHED for base in bases for size in found.sizes)


def rounded_away(name: NetworkName) -> list[str]:
    """The dimensions that the network's strategy scales and rounding leaves as they were.

    >>> rounded_away(NetworkName("regnety-16px", "dWr", 4.5))
    ['resolution']
    """
    if name.strategy is None:
        return []
    base, made, strategy = arch_named(name.base), arch_named(name), Strategy.parse(name.strategy)
    return [
        share.replace("_", " ")
        for share, field in _DIMENSIONS.items()
        if getattr(strategy, share)
        and (share != "group_width" or base.grouped)
        and getattr(base, field) == getattr(made, field)
    ]


def equality(found: "Trained") -> str:
    """In words: how equal the flops are, and what rounds away."""
    bases = found.plan.bases
    said = ", ".join(
        f"{100 * (max(apart(found, base, size) for size in found.sizes) - 1):.1f} % ({base})"
        for base in bases
    )
    lost = [(c.arch, rounded_away(c.name)) for c in found.cells]
    text = "; ".join(f"{' and '.join(what)} of {arch}" for arch, what in lost if what)
    return (
        "Equal flops (multiply-adds) at each network's own resolution: the largest over the "
        f"smallest is above 1 by {said}. Rounding leaves as in the base: {text or 'nothing'}."
    )
