"""Pictures as data: panels of points with series lines and fits, what stands above and below them.

A figure's module returns pictures; `render` turns them into matplotlib's, `build` writes them.
Published points are hollow, ours filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fastscale.paper.style import GREY, Look
from fastscale.paper.tables.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Mark:
    """A network in a panel: how it looks, where it stands, half its error bar, whether it is ours
    (filled) or published (hollow), and whether its eager time stands in (black edge)."""

    look: Look
    x: float
    y: float
    spread: float | None = None
    ours: bool = False
    stand_in: bool = False


@dataclass(frozen=True)
class Fit:
    """A least-squares line over its own range of x; in `colour`, or grey for points of all looks pooled."""

    slope: float
    intercept: float
    low: float
    high: float
    colour: str = GREY
    power: bool = False  # the line of the logarithms: y = e^intercept x^slope


@dataclass(frozen=True)
class Chart:
    """A panel of points. `join`: points of a look are joined in the order of x, from the base on; `right`: the axis ends there.

    Published points and ours are joined apart.
    """

    xlabel: str
    ylabel: str
    marks: Sequence[Mark]
    heading: str = ""
    log_x: bool = False
    log_y: bool = False
    zero_x: bool = True
    zero_y: bool = True
    join: bool = False
    fits: Sequence[Fit] = ()
    right: float | None = None


class Special(Protocol):
    """A panel of another kind, which draws itself into matplotlib's axes."""

    @property
    def heading(self) -> str:
        """A line above the axes, or nothing."""

    @property
    def marks(self) -> Sequence[Mark]:
        """What the legend explains."""

    def draw(self, ax: Axes) -> None:
        """All that stands in it."""


@dataclass(frozen=True)
class Layout:
    """Inches around and between panels, and a panel's height and the whole width where these are not by the number of columns."""

    left: float = 0.62
    right: float = 0.14
    between: float = 0.62
    below: float = 0.62
    width: float | None = None
    panel: float | None = None


@dataclass(frozen=True)
class Picture:
    """Panels row by row under a title (second line smaller) and notes, a legend and a caution below; `legend`: absent, of the marks."""

    title: str
    notes: Sequence[str]
    panels: Sequence[Chart | Special]
    columns: int = 1
    caution: str = ""
    alt: str = ""
    legend: Sequence[Look] | None = None
    layout: Layout = Layout()


@dataclass(frozen=True)
class Page:
    """What is written of an artifact under one name: Markdown by a template of `pages`, pictures by name, tables."""

    name: str
    title: str = ""
    shows: str = ""
    said: Sequence[str] = ()  # paragraphs before the pictures
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    caption: Sequence[str] = ()  # paragraphs after them
    tables: Sequence[Table] = ()
    template: str = "figure"
