"""Pictures as data: panels of points with lines and fits, under titles and over legends.

A figure's module returns pictures, `render` draws them with matplotlib, and `build` writes them.
Published points are hollow, ours are filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fastscale.paper.style import GREY, Style
from fastscale.paper.tables.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Mark:
    """A network in a panel."""

    style: Style
    x: float
    y: float
    spread: float | None = None  # half the error bar
    ours: bool = False  # filled; otherwise published and hollow
    stand_in: bool = False  # black edge: eager time replaces a missing device time


@dataclass(frozen=True)
class Fit:
    """A least-squares line from x = `low` to `high`; grey if it pools points of all styles."""

    slope: float
    intercept: float
    low: float
    high: float
    colour: str = GREY
    power: bool = False  # a fit of logarithms: y = e^intercept x^slope


@dataclass(frozen=True)
class Chart:
    """A panel of points."""

    xlabel: str
    ylabel: str
    marks: Sequence[Mark]
    heading: str = ""
    log_x: bool = False
    log_y: bool = False
    zero_x: bool = True
    zero_y: bool = True
    # lines join the points of each style by x, starting at the base; published and ours separately
    join: bool = False
    fits: Sequence[Fit] = ()
    right: float | None = None  # the end of the x axis


class Special(Protocol):
    """A panel of another kind, which draws itself on matplotlib's axes."""

    @property
    def heading(self) -> str:
        """A line above the axes, or ""."""

    @property
    def marks(self) -> Sequence[Mark]:
        """The marks that the legend explains."""

    def draw(self, ax: Axes) -> None:
        """Draws the panel."""


@dataclass(frozen=True)
class Layout:
    """Inches around and between panels."""

    left: float = 0.62
    right: float = 0.14
    between: float = 0.62
    below: float = 0.62
    width: float | None = None  # of the picture (default: by the number of columns)
    panel: float | None = None  # a panel's height (default: by the number of columns)


@dataclass(frozen=True)
class Picture:
    """Panels in rows, with a title and notes above, and a legend and a caution below."""

    title: str  # a second line is smaller
    notes: Sequence[str]
    panels: Sequence[Chart | Special]
    columns: int = 1
    caution: str = ""
    alt: str = ""
    legend: Sequence[Style] | None = None  # default: the styles of the marks
    layout: Layout = Layout()


@dataclass(frozen=True)
class Page:
    """A Markdown page (from a template of `pages`) with its pictures and tables."""

    name: str
    title: str = ""
    shows: str = ""
    lead: Sequence[str] = ()  # paragraphs before the pictures
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    caption: Sequence[str] = ()  # paragraphs after them
    tables: Sequence[Table] = ()
    template: str = "figure"
