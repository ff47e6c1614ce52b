"""Colours and markers of the page: the figures' for strategies, one palette for other groupings."""

from collections.abc import Sequence
from typing import NamedTuple

from fastscale.paper import style as figures
from fastscale.paper.style import STRATEGY_LABELS

STRATEGIES = ("base", *STRATEGY_LABELS)
FAMILIES = tuple(figures.FAMILIES)
# Okabe and Ito's colours in the order that groups take them; each has a marker too
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8C6D31",
    "#7F7F7F",
    "#000000",
)
# after the last colour the first is used again: never for two round markers
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "d", "p", "h")
SPARE_MARKERS = ("p", ">", "d", "8")


class Style(NamedTuple):
    """A colour, a matplotlib marker, and a legend's explanation of the name."""

    colour: str
    marker: str
    words: str = ""


def strategy_style(strategy: str | None) -> Style:
    """The figures' style of a strategy; None: the unscaled base."""
    name = "base" if strategy in (None, "", "none") else strategy
    colour, marker, *_ = figures.strategy_style(name)
    return Style(colour, marker, STRATEGY_LABELS.get(name or "", ""))


def styles(facet: str, names: Sequence[str]) -> list[Style]:
    """One style per name, all distinct (for strategies, while there are spare markers)."""
    if facet != "strategy":
        return [
            Style(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i in range(len(names))
        ]
    found: list[Style] = []
    for name in names:
        colour, marker, words = strategy_style(name)
        taken = {style[:2] for style in found}
        if (colour, marker) in taken:
            marker = next(
                (other for other in SPARE_MARKERS if (colour, other) not in taken), marker
            )
        found.append(Style(colour, marker, words))
    return found
