"""Checks that compared networks have equal flops and differ in every dimension they scale."""

from typing import TYPE_CHECKING

from fastscale.archs.names import NetworkName
from fastscale.scaling import Strategy, arch_named

if TYPE_CHECKING:
    from fastscale.paper.paired import Trained

MATCHED = 1.03  # largest flops over smallest that count as equal
# a strategy's share -> the field of a network that it changes
_DIMENSIONS = {
    "depth": "depths",
    "width": "widths",
    "resolution": "resolution",
    "group_width": "group_widths",
}


def apart(found: "Trained", base: str, size: float) -> float:
    """The largest over the smallest flops of a base's scaled networks of one size."""
    flops = [c.counts.flops for c in found.cells if c.strategy and (c.base, c.size) == (base, size)]
    return max(flops) / min(flops) if flops else 1.0


def matched(found: "Trained") -> bool:
    """Whether the networks of each base and size have equal flops, within 3 %."""
    bases = found.plan.bases
    return all(apart(found, base, size) <= MATCHED for base in bases for size in found.sizes)


def rounded_away(name: NetworkName) -> list[str]:
    """The dimensions that the network's strategy scales but rounding leaves unchanged.

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
    """One note on how equal the flops are, and what rounding leaves unchanged."""
    bases = found.plan.bases
    excess = ", ".join(
        f"{100 * (max(apart(found, base, size) for size in found.sizes) - 1):.1f} % ({base})"
        for base in bases
    )
    lost = [(c.arch, rounded_away(c.name)) for c in found.cells]
    text = "; ".join(f"{' and '.join(what)} of {arch}" for arch, what in lost if what)
    return (
        "Equal flops (multiply-adds) at each network's own resolution: the largest exceed the "
        f"smallest by {excess}. Rounding leaves unchanged from the base: {text or 'nothing'}."
    )
