"""The styles of strategies and families, the same in every figure.

No two strategies, and no two families, share a colour and marker. The colours are those of Okabe
and Ito, and of Tol, which can be told apart with any colour vision.
"""

from typing import NamedTuple

from fastscale.archs.names import strategy_spelling

GREY, PALE = "#555555", "#d9d9d9"


class Style(NamedTuple):
    """How marks of a strategy, a family or a measure are drawn."""

    colour: str
    marker: str  # of matplotlib
    size: float  # in points
    label: str  # in the legend


# a strategy and its form with group width share a style
_STRATEGIES = {
    "base": Style("#000000", "o", 8.0, "base"),
    "d": Style("#0072B2", "s", 8.0, "d: depth"),
    "w": Style("#009E73", "^", 9.0, "w: width"),
    "r": Style("#CC79A7", "v", 9.0, "r: resolution"),
    "dw": Style("#56B4E9", "P", 9.0, "dw: depth and width"),
    "wr": Style("#8C6D31", "X", 9.0, "wr: width and resolution"),
    "dr": Style("#7F7F7F", "<", 9.0, "dr: depth and resolution"),
    "dwr": Style("#E69F00", "D", 8.0, "dwr: all equally (compound)"),
    "dWr": Style("#D55E00", "*", 14.0, "dWr: mostly width (fast compound)"),
    "d1_w4_g4_r1": Style("#882255", "p", 9.5, "alpha = 2/3"),
    "dWr-pow2": Style("#44AA99", "H", 9.0, "dWr-pow2: dWr, group widths powers of two"),
    "orig": Style("#332288", "h", 9.5, "the original EfficientNets"),
}
WITHOUT_GROUPS = {"wg": "w", "dwg": "dw", "wgr": "wr", "dwgr": "dwr"}
STRATEGY_LABELS = {
    name: style.label.partition(": ")[2] or style.label
    for name, style in _STRATEGIES.items()
    if name not in ("base", "orig")
}
_OTHER = Style("#666666", "8", 9.0, "another strategy")
FAMILIES = {
    "EfficientNet": Style("#332288", "o", 7.0, "EfficientNet"),
    "RegNetX": Style("#56B4E9", "<", 8.0, "RegNetX"),
    "RegNetY": Style("#009E73", "s", 7.0, "RegNetY"),
    "RegNetZ": Style("#CC3377", "^", 8.0, "RegNetZ"),
    "ResNet": Style("#999933", "D", 7.0, "ResNet"),
    "ResNeXt": Style("#D55E00", ">", 8.0, "ResNeXt"),
}


def canonical_strategy(strategy: str | None) -> str | None:
    """One name for all spellings of a strategy, with and without group width.

    >>> [canonical_strategy(name) for name in ("dwrg", "alpha=1/3", "alpha=4/6", None)]
    ['dwr', 'dwr', 'd1_w4_g4_r1', None]
    """
    if strategy is None:
        return None
    spelling = strategy_spelling(strategy)
    return WITHOUT_GROUPS.get(spelling, spelling)


def strategy_style(strategy: str | None) -> Style:
    """The style of a strategy in any spelling; None: the base, "orig": original EfficientNets."""
    name = strategy_spelling(strategy or "base")
    style = _STRATEGIES.get(WITHOUT_GROUPS.get(name, name), _OTHER)
    return (
        style._replace(label=f"{name}:{style.label.partition(':')[2]}")
        if name in WITHOUT_GROUPS
        else style
    )


def family_style(family: str, strategy: str | None = None, by_strategy: bool = False) -> Style:
    """The style of a family; grey for a family that is not listed.

    `by_strategy`: the family's colour with the strategy's marker, for figures that show both.
    """
    style = FAMILIES.get(family, Style(GREY, "d", 8.0, family))
    if not by_strategy:
        return style
    shape = strategy_style(strategy)
    return Style(style.colour, shape.marker, shape.size, style.label)
