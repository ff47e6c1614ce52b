"""Colours and markers of the page: a strategy has those of the figures; other groupings take from one palette in order."""

from collections.abc import Sequence
from typing import NamedTuple

from fastscale.paper import style as figures
from fastscale.paper.style import IN_WORDS

STRATEGIES = ("base", *IN_WORDS)
FAMILIES = tuple(figures.FAMILIES)
# Okabe and Ito's, in the order in which groups take them; a marker goes with each, so that none is told by its colour alone
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
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", "h", "p", ">", "d")
SPARE_MARKERS = ("p", ">", "d", "8")


class Look(NamedTuple):
    """A colour, one of matplotlib's markers, and what a legend says of the name."""

    colour: str
    marker: str
    words: str = ""


def strategy_look(strategy: str | None) -> Look:
    """The figures' look of a strategy; None is the unscaled base."""
    name = "base" if strategy in (None, "", "none") else strategy
    colour, marker, *_ = figures.strategy_look(name)
    return Look(colour, marker, IN_WORDS.get(name or "", ""))


def looks(facet: str, names: Sequence[str]) -> list[Look]:
    """A look for each name, no two alike (of strategies: as long as there are markers to spare)."""
    if facet != "strategy":
        return [
            Look(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i in range(len(names))
        ]
    found: list[Look] = []
    for name in names:
        colour, marker, words = strategy_look(name)
        taken = {look[:2] for look in found}
        if (colour, marker) in taken:
            marker = next(
                (other for other in SPARE_MARKERS if (colour, other) not in taken), marker
            )
        found.append(Look(colour, marker, words))
    return found
