"""Figures 1, 4, 5, 6, 7 and the large networks: error, epoch time and counts in declared panels.

drawing:
  by: panels
  points: [fig4]              figures or tables of paper_points.csv
  keep: [base, d, w, orig]    strategies to keep (default: all)
  epochs: 100                 schedule to keep of tables that print several (default: all)
  look: strategy | family     what colour and marker stand for
  columns: 2
  panels: [{y: error, x: flops, base: efficientnet-b0}]   base: one base only (default: all);
                              a panel without points is left out
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
from fastscale.paper.style import Style, family_style, strategy_style
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
_PLURALS = {
    "error": "errors",
    "time": "epoch times",
    "acts": "acts",
    "params": "params",
    "flops": "flops",
}


class PanelSpec(Declared):
    """The axes of one panel, and the base it shows (None: all)."""

    y: Quantity
    x: Quantity
    base: Network | None = None

    def __str__(self) -> str:
        return f"{self.y} against {self.x}" + (f" of {self.base}" if self.base else "")


class Panels(Drawing):
    points: Many[Text]
    keep: Some[Text] | None = None
    epochs: Epochs | None = None
    look: Literal["strategy", "family"]
    columns: int = Field(ge=1, le=3)
    panels: Some[PanelSpec]

    def published(self) -> list[Row]:
        found = paper_points(self.points) if self.points else []
        found = [p for p in found if self.epochs is None or p.epochs in (None, self.epochs)]
        if self.keep is None:
            return found
        keep = set(map(strategy_spelling, self.keep))
        return [p for p in found if strategy_spelling(p.strategy or "base") in keep]

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        return [view.name for view in views(artifact, records)]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        return recorded(artifact, views(artifact, records))


@drawing("panels", spec=Panels)
def draw_panels(artifact: Figure, spec: Panels, records: Sequence[Record]) -> list[Page]:
    """One page for the figure and one for each of its variants."""
    pages = []
    for view in views(artifact, records):
        drawn = [(one, panel(view, one, spec.look)) for one in spec.panels]
        charts = [chart for _, chart in drawn if chart is not None]
        absent = dict.fromkeys(_PLURALS[one.y] for one, chart in drawn if chart is None)
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
    """One declared panel; None if it has no point."""
    (xlabel, x_unit), (ylabel, y_unit) = AXES[spec.x], AXES[spec.y]
    marks = []
    planned = {style_of(p, look) for p in view.planned}  # dwr and dwgr share a colour and marker
    for ours in (False, True):
        points = (view.our_values if ours else view.published_values)(spec.y)
        for p in points:
            if ours and style_of(p, look) not in planned:
                continue
            x, y = getattr(p, spec.x), getattr(p, spec.y)
            if x is not None and (spec.base in (None, shown_base(p.arch or ""))):
                spread = {"time": p.spread, "error": p.error_spread}.get(spec.y)
                shown = style_of(p, look), x / x_unit, y / y_unit
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
    """Sentences that name the planned series without a point, by what the panels show."""
    absent: dict[str, dict[str, None]] = {}
    for spec, chart in drawn:
        shown = {mark.style for mark in chart.marks} if chart else set()
        planned = dict.fromkeys(
            style_of(p, look) for p in view.planned if spec.base in (None, shown_base(p.arch or ""))
        )
        for series in planned if chart else ():
            if series not in shown:
                absent.setdefault(series.label.partition(":")[0], {})[_PLURALS[spec.y]] = None
    by_panels: dict[str, list[str]] = {}
    for label, measures in absent.items():
        by_panels.setdefault(" and ".join(measures), []).append(label)
    return [
        f"No point of {', '.join(labels)} among the {panels}."
        for panels, labels in by_panels.items()
    ]


def style_of(point: Row, look: str) -> Style:
    """The style of a point in a figure whose colours stand for strategies, or for families."""
    return strategy_style(point.strategy) if look == "strategy" else family_style(point.family)


def subtitle(view: View, charts: Sequence[Chart], errors: bool = True) -> list[str]:
    """What is published and what is ours; `errors`: whether the figure shows errors."""
    lines = []
    marks = [mark for chart in charts for mark in chart.marks]
    if any(not mark.ours for mark in marks):
        own = not view.published or any(PAPER in p.origin for p in view.published)
        others = " and ".join(dict.fromkeys(p.origin.partition(",")[0] for p in view.published))
        who = "" if own else f" by {others}, with a recipe that is not the paper's"
        lines.append(f"Hollow: published{who}; ImageNet, times on 8 V100.")
    ours = ["counts"] if any(mark.ours for mark in marks) else []
    if view.trained and errors:
        data = DATA_NAMES.get(view.trained.data, view.trained.data)
        ours.append(f"errors on {data}, {view.trained.label}")
    if view.timed:
        ours.append(f"times on one {view.timed.label}")
    return [*lines, "Filled: ours; " + ", ".join(ours) + "." if ours else "Ours: no record yet."]


def title(artifact: Figure, view: View) -> str:
    """The figure's title; the second line of a variant names its device or its data."""
    if view.timed:
        return f"{artifact.title}\nOur times: one {view.timed.device}"
    if view.foreign and view.trained:
        data = DATA_NAMES.get(view.trained.data, view.trained.data)
        return f"{artifact.title}\nOur errors: {data}, not the paper's recipe"
    return artifact.title
