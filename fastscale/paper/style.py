"""One look a thing, in every figure: a strategy keeps its colour and marker, a family its own, and no two share both.

Colours are those of Okabe and Ito, and of Tol, told apart with any colour vision; markers differ too.
"""

from typing import NamedTuple

from fastscale.archs.names import strategy_spelling

GREY, PALE = "#555555", "#d9d9d9"


class Look(NamedTuple):
    """Colour, matplotlib marker, its size in points, and what a legend calls it."""

    colour: str
    marker: str
    size: float
    words: str


# a strategy and its form with group width are one strategy to the eye
_STRATEGIES = {
    "base": Look("#000000", "o", 8.0, "base"),
    "d": Look("#0072B2", "s", 8.0, "d: depth"),
    "w": Look("#009E73", "^", 9.0, "w: width"),
    "r": Look("#CC79A7", "v", 9.0, "r: resolution"),
    "dw": Look("#56B4E9", "P", 9.0, "dw: depth and width"),
    "wr": Look("#8C6D31", "X", 9.0, "wr: width and resolution"),
    "dr": Look("#7F7F7F", "<", 9.0, "dr: depth and resolution"),
    "dwr": Look("#E69F00", "D", 8.0, "dwr: all alike (compound)"),
    "dWr": Look("#D55E00", "*", 14.0, "dWr: mostly width (fast compound)"),
    "d1_w4_g4_r1": Look("#882255", "p", 9.5, "alpha = 2/3"),
    "dWr-pow2": Look("#44AA99", "H", 9.0, "dWr-pow2: dWr, group widths powers of two"),
    "orig": Look("#332288", "h", 9.5, "the original EfficientNets"),
}
WITHOUT_GROUPS = {"wg": "w", "dwg": "dw", "wgr": "wr", "dwgr": "dwr"}
IN_WORDS = {
    name: look.words.partition(": ")[2] or look.words
    for name, look in _STRATEGIES.items()
    if name not in ("base", "orig")
}
_OTHER = Look("#666666", "8", 9.0, "another strategy")
FAMILIES = {
    "EfficientNet": Look("#332288", "o", 7.0, "EfficientNet"),
    "RegNetX": Look("#56B4E9", "<", 8.0, "RegNetX"),
    "RegNetY": Look("#009E73", "s", 7.0, "RegNetY"),
    "RegNetZ": Look("#CC3377", "^", 8.0, "RegNetZ"),
    "ResNet": Look("#999933", "D", 7.0, "ResNet"),
    "ResNeXt": Look("#D55E00", ">", 8.0, "ResNeXt"),
}


def alike(strategy: str | None) -> str | None:
    """One name for all spellings of a strategy, with group width scaled along or not: it is scaled
    where a network has group convs.

    >>> alike("dwrg"), alike("alpha=1/3"), alike("alpha=4/6"), alike(None)
    ('dwr', 'dwr', 'd1_w4_g4_r1', None)
    """
    if strategy is None:
        return None
    spelling = strategy_spelling(strategy)
    return WITHOUT_GROUPS.get(spelling, spelling)


def strategy_look(strategy: str | None) -> Look:
    """The look of a strategy, in any spelling; None is the unscaled base, "orig" one of the original EfficientNets."""
    name = strategy_spelling(strategy or "base")
    look = _STRATEGIES.get(WITHOUT_GROUPS.get(name, name), _OTHER)
    return (
        look._replace(words=f"{name}:{look.words.partition(':')[2]}")
        if name in WITHOUT_GROUPS
        else look
    )


def family_look(family: str, strategy: str | None = None, by_strategy: bool = False) -> Look:
    """The look of a family, a neutral one for a family of one's own; `by_strategy`: its colour with
    the strategy's marker, for figures that show both."""
    look = FAMILIES.get(family, Look(GREY, "d", 8.0, family))
    if not by_strategy:
        return look
    shape = strategy_look(strategy)
    return Look(look.colour, shape.marker, shape.size, look.words)
