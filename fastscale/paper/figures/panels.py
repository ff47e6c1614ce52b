"""Figures 1, 4, 5, 6, 7 and the large networks: error, epoch time and counts of scaled networks, panel by panel as declared.

drawing:
  by: panels
  points: [fig4]              figures or tables of paper_points.csv
  keep: [base, d, w, orig]    of their strategies; absent: all
  epochs: 100                 of tables that print several schedules; absent: all
  look: strategy | family     what colour and marker say
  columns: 2
  panels: [{y: error, x: flops, base: efficientnet-b0}]   base: absent for all; a panel without any point is left out
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from fastscale.archs.names import strategy_spelling
from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Mark, Page, Picture
from fastscale.paper.declare import Declared, Epochs, Many, Network, Quantity, Some, Text
from fastscale.paper.evidence import shown_base
from fastscale.paper.figure_text import caption, points_table, recorded, statements
from fastscale.paper.points import PAPER, paper_points
from fastscale.paper.style import Look, family_look, strategy_look
from fastscale.paper.tables.comparison import DATA_NAMES
from fastscale.paper.views import View, views
from fastscale.records import Record
from fastscale.records.frame import Row

# measure -> (axis, unit)
AXES = {
    "flops": ("flops (multiply-adds), B", 1e9),
    "params": ("params, M", 1e6),
    "acts": ("acts, M", 1e6),
    "time": ("epoch time, min", 1.0),
    "error": ("top-1 error, %", 1.0),
}


_WORDS = {
    "error": "errors",
    "time": "epoch times",
    "acts": "acts",
    "params": "params",
    "flops": "flops",
}


class PanelSpec(Declared):
    """One panel: what is on its axes, and of which base; `base` absent: of all."""

    y: Quantity
    x: Quantity
    base: Network | None = None

    def __str__(self) -> str:
        return f"{self.y} against {self.x}" + (f" of {self.base}" if self.base else "")


class Panels(Drawing):
    """The options."""

    points: Many[Text]
    keep: Some[Text] | None = None
    epochs: Epochs | None = None
    look: Literal["strategy", "family"]
    columns: int = Field(ge=1, le=3)
    panels: Some[PanelSpec]

    def published(self) -> list[Row]:
        """The points that are declared."""
        found = paper_points(self.points) if self.points else []
        found = [p for p in found if self.epochs is None or p.epochs in (None, self.epochs)]
        if self.keep is None:
            return found
        keep = set(map(strategy_spelling, self.keep))
        return [p for p in found if strategy_spelling(p.strategy or "base") in keep]

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        """The figure and its variants."""
        return [view.name for view in views(artifact, records)]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        """How many of the planned networks have records."""
        return recorded(artifact, views(artifact, records))


@drawing("panels", spec=Panels)
def draw_panels(artifact: Figure, spec: Panels, records: Sequence[Record]) -> list[Page]:
    """The figure and its variants."""
    pages = []
    for view in views(artifact, records):
        drawn = [(one, panel(view, one, spec.look)) for one in spec.panels]
        charts = [chart for _, chart in drawn if chart is not None]
        absent = dict.fromkeys(_WORDS[one.y] for one, chart in drawn if chart is None)
        notes = subtitle(view, charts)
        notes += [f"Nothing published or recorded yet: {', '.join(absent)}."] if absent else []
        notes += without_points(view, drawn, spec.look)
        picture = Picture(title(artifact, view), notes, charts, spec.columns, alt=artifact.title)
        left_out = [str(one) for one, chart in drawn if chart is None]
        pages.append(
            Page(
                view.name,
                artifact.title + (f": times on one {view.timed.device}" if view.timed else ""),
                artifact.shows,
                statements(view),
                {view.name: picture} if charts else {},
                [caption(view, left_out)],
                [points_table(artifact, view)],
            )
        )
    return pages


def panel(view: View, spec: PanelSpec, look: str) -> Chart | None:
    """One declared panel; None where nothing of it is known."""
    (xlabel, x_unit), (ylabel, y_unit) = AXES[spec.x], AXES[spec.y]
    marks = []
    for ours in (False, True):
        points = (view.our_values if ours else view.published_values)(spec.y)
        for p in points:
            x, y = getattr(p, spec.x), getattr(p, spec.y)
            if x is not None and (spec.base in (None, shown_base(p.arch or ""))):
                spread = {"time": p.spread, "error": p.error_spread}.get(spec.y)
                shown = look_of(p, look), x / x_unit, y / y_unit
                eager = spec.y == "time" and p.clock == "stand-in"
                marks.append(Mark(*shown, spread if ours else None, ours, eager))
    if not marks:
        return None
    heading = spec.base or ""
    log_y = spec.y != "error"
    return Chart(xlabel, ylabel, marks, heading, log_x=True, log_y=log_y, zero_y=False, join=True)


def without_points(
    view: View, drawn: Sequence[tuple[PanelSpec, Chart | None]], look: str
) -> list[str]:
    """A sentence for the planned series that a panel shows no point of; none where every series is in every panel."""
    absent: dict[str, dict[str, None]] = {}
    for spec, chart in drawn:
        shown = {mark.look for mark in chart.marks} if chart else set()
        planned = dict.fromkeys(
            look_of(p, look) for p in view.planned if spec.base in (None, shown_base(p.arch or ""))
        )
        for series in planned if chart else ():
            if series not in shown:
                absent.setdefault(series.words.partition(":")[0], {})[_WORDS[spec.y]] = None
    by_panels: dict[str, list[str]] = {}
    for words, measures in absent.items():
        by_panels.setdefault(" and ".join(measures), []).append(words)
    return [
        f"No point of {', '.join(words)} among the {panels}." for panels, words in by_panels.items()
    ]


def look_of(point: Row, look: str) -> Look:
    """How a point looks in a figure whose colours mean strategies, or families."""
    return strategy_look(point.strategy) if look == "strategy" else family_look(point.family)


def subtitle(view: View, charts: Sequence[Chart], errors: bool = True) -> list[str]:
    """What is published and what is ours; `errors`: whether the figure shows any."""
    lines = []
    marks = [mark for chart in charts for mark in chart.marks]
    if any(not mark.ours for mark in marks):
        own = not view.published or any(PAPER in p.origin for p in view.published)
        others = " and ".join(dict.fromkeys(p.origin.partition(",")[0] for p in view.published))
        who = "" if own else f" by {others}, another recipe than the paper's"
        lines.append(f"Hollow: published{who}; ImageNet, times on 8 V100.")
    ours = ["counts"] if any(mark.ours for mark in marks) else []
    if view.trained and errors:
        ours.append(
            f"errors on {DATA_NAMES.get(view.trained.data, view.trained.data)}, {view.trained.words}"
        )
    if view.timed:
        ours.append(f"times on one {view.timed.words}")
    return [*lines, "Filled: ours; " + ", ".join(ours) + "." if ours else "Ours: no record yet."]


def title(artifact: Figure, view: View) -> str:
    """The figure's title; a variant's second line says the device, or the data, that is not the paper's."""
    if view.timed:
        return f"{artifact.title}\nTimes of ours: one {view.timed.device}"
    if view.foreign and view.trained:
        return f"{artifact.title}\nErrors of ours: {DATA_NAMES.get(view.trained.data, view.trained.data)}, not by the paper's recipe"
    return artifact.title
