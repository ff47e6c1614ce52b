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
from pathlib import Path
from typing import Any

from fastscale.paper.artifacts import Artifact
from fastscale.paper.chart import Chart, Mark, draw_charts
from fastscale.paper.comparison_tables import DATA_NAMES
from fastscale.paper.figure_text import write_caption
from fastscale.paper.looks import family_look, strategy_look
from fastscale.paper.points import PAPER
from fastscale.paper.views import CPU_CAUTION, View, base_of, views
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


def draw_panels(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
    """The figure and its variants, each as SVG, PNG, Markdown, CSV and LaTeX."""
    paths = []
    for view in views(artifact, records):
        drawn = [
            (spec, panel(view, spec, artifact.drawing["look"]))
            for spec in artifact.drawing["panels"]
        ]
        charts = [chart for _, chart in drawn if chart is not None]
        left_out = [
            f"{spec['y']} against {spec['x']}" + _of(spec) for spec, chart in drawn if chart is None
        ]
        if charts:
            caution = CPU_CAUTION if view.on_cpu else ""
            said = subtitle(view, charts)
            absent = dict.fromkeys(_WORDS[spec["y"]] for spec, chart in drawn if chart is None)
            said += [f"Nothing published or recorded yet: {', '.join(absent)}."] if absent else []
            said += without_points(view, drawn, artifact.drawing["look"])
            paths += draw_charts(
                charts,
                artifact.drawing["columns"],
                title(artifact, view),
                said,
                folder,
                view.name,
                caution,
            )
        paths += write_caption(artifact, view, left_out, folder)
    return paths


def panel(view: View, spec: dict[str, Any], look: str) -> Chart | None:
    """One declared panel; None where nothing of it is known."""
    (xlabel, x_unit), (ylabel, y_unit) = AXES[spec["x"]], AXES[spec["y"]]
    marks = []
    for ours in (False, True):
        points = (view.our_values if ours else view.published_values)(spec["y"])
        for p in points:
            x, y = getattr(p, spec["x"]), getattr(p, spec["y"])
            if x is not None and ("base" not in spec or base_of(p) == spec["base"]):
                spread = {"time": p.spread, "error": p.error_spread}.get(spec["y"])
                marks.append(
                    Mark(look_of(p, look), x / x_unit, y / y_unit, spread if ours else None, ours)
                )
    if not marks:
        return None
    heading = spec.get("base", "")
    log_y = spec["y"] != "error"
    return Chart(xlabel, ylabel, marks, heading, log_x=True, log_y=log_y, zero_y=False, join=True)


def without_points(
    view: View, drawn: Sequence[tuple[dict[str, Any], Chart | None]], look: str
) -> list[str]:
    """A sentence for the planned series that a panel shows no point of; none where every series is in every panel."""
    absent: dict[str, dict[str, None]] = {}
    for spec, chart in drawn:
        shown = {mark.look for mark in chart.marks} if chart else set()
        planned = dict.fromkeys(
            look_of(p, look)
            for p in view.planned
            if "base" not in spec or base_of(p) == spec["base"]
        )
        for series in planned if chart else ():
            if series not in shown:
                absent.setdefault(series.words.partition(":")[0], {})[_WORDS[spec["y"]]] = None
    by_panels: dict[str, list[str]] = {}
    for series, measures in absent.items():
        by_panels.setdefault(" and ".join(measures), []).append(series)
    return [
        f"No point of {', '.join(series)} among the {measures}."
        for measures, series in by_panels.items()
    ]


def look_of(point: Row, look: str):
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
        lines.append(
            f"Hollow: published{who}; ImageNet"
            + ("; no published time is shown here." if view.on_cpu else ", times on 8 V100.")
        )
    ours = ["counts"] if any(mark.ours for mark in marks) else []
    if view.trained and errors:
        ours.append(
            f"errors on {DATA_NAMES.get(view.trained.data, view.trained.data)}, {view.trained.words}"
        )
    if view.timed:
        ours.append(f"times on one {view.timed.words}")
    return [*lines, "Filled: ours; " + ", ".join(ours) + "." if ours else "Ours: no record yet."]


def title(artifact: Artifact, view: View) -> str:
    """The figure's title; a variant's second line says the device, or the data, that is not the paper's."""
    if view.timed:
        return f"{artifact.title}\nTimes of ours: one {view.timed.device}"
    if view.foreign and view.trained:
        return f"{artifact.title}\nErrors of ours: {DATA_NAMES.get(view.trained.data, view.trained.data)}, not by the paper's recipe"
    return artifact.title


def _of(spec: dict[str, Any]) -> str:
    return f" of {spec['base']}" if "base" in spec else ""
