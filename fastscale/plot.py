"""`fastscale.plot`: draws any rows of `fastscale.records()` in the style of the paper's figures.

    fs.plot.error_vs_flops(data="cifar10", recipe="cifar10-2ep")
    fs.plot.time_vs_acts(device_type="cuda").save("times.png")

A panel shows one data set (errors) or one device (times), since other measurements are not
comparable. Published points are hollow, ours are filled. Runs that differ only in seed are one
point, with their standard deviation as its bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastscale.common import did_you_mean, write_whole
from fastscale.errors import InputError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from fastscale.paper.chart import Chart, Picture

AXES = {
    "flops": ("flops (multiply-adds), B", 1e9),
    "params": ("params, M", 1e6),
    "acts": ("acts, M", 1e6),
    "top1_error": ("top-1 error, %", 1.0),
    "image_time_s": ("time an image, ms", 1e-3),
}
MOST = 6  # panels
# rows that differ in these are not one point
POINT = (
    "source",
    "arch",
    "network",
    "strategy",
    "family",
    "recipe",
    "epochs",
    "batch",
    "precision",
)


class Plot:
    """A figure that a notebook displays; `.figure` is matplotlib's, `.save(path)` writes it."""

    def __init__(self, picture: Picture):
        self.picture = picture

    @cached_property
    def files(self) -> dict[str, bytes]:
        """SVG and PNG by suffix."""
        from fastscale.paper.render import files

        return files(self.picture)

    @property
    def figure(self) -> Figure:
        """A new matplotlib figure, to change as you like."""
        from fastscale.paper.render import house_style, render

        with house_style():
            return render(self.picture)

    def save(self, path: str | Path) -> Path:
        """Writes the figure; InputError unless the name ends in .svg or .png."""
        kind = Path(path).suffix.removeprefix(".")
        if kind not in self.files:
            raise InputError(f"{path}: a figure's name ends in .svg or .png")
        write_whole(Path(path), self.files[kind])
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.files["svg"].decode()

    def __repr__(self) -> str:
        points = sum(len(chart.marks) for chart in self.picture.panels)
        return f"Plot({self.picture.title!r}: {points} points in {len(self.picture.panels)} panels)"


def error_vs_flops(
    frame: pandas.DataFrame | None = None, look: str = "strategy", **where: Any
) -> Plot:
    """Top-1 error against flops, with a panel for each data set.

    `frame`: rows to draw; default: all of `fastscale.records()`. `where`: values, or lists of
    values, that columns must have: `data="cifar10", recipe="cifar10-2ep", base=[...]`. `look`:
    whether colour and marker show the "strategy" or the "family". InputError for an unknown column,
    and if no row is left.
    """
    return against("top1_error", "flops", "data", frame, look, **where)


def error_vs_acts(
    frame: pandas.DataFrame | None = None, look: str = "strategy", **where: Any
) -> Plot:
    """Top-1 error against activations; see `error_vs_flops`."""
    return against("top1_error", "acts", "data", frame, look, **where)


def time_vs_acts(frame: pandas.DataFrame | None = None, look: str = "family", **where: Any) -> Plot:
    """Training time per image against activations, with a panel for each device; see
    `error_vs_flops`."""
    return against("image_time_s", "acts", "device", frame, look, **{"mode": "training", **where})


def time_vs_flops(
    frame: pandas.DataFrame | None = None, look: str = "family", **where: Any
) -> Plot:
    """Training time per image against flops; see `time_vs_acts`."""
    return against("image_time_s", "flops", "device", frame, look, **{"mode": "training", **where})


def against(
    y: str, x: str, panel: str, frame: pandas.DataFrame | None, look: str, **where: Any
) -> Plot:
    """Column `y` against column `x`, with a panel for each value of column `panel`.

    Panels with the most networks come first.
    """
    from fastscale.paper.chart import Picture

    if look not in ("strategy", "family"):
        raise InputError(f"look {look!r}: use strategy or family")
    rows = _rows(y, x, panel, frame, where)
    counts = rows.groupby(panel)["arch"].nunique().sort_values(ascending=False, kind="stable")
    shown = list(counts.index[:MOST])
    charts = [_chart(rows[rows[panel] == value], y, x, str(value), look) for value in shown]
    notes = ["Hollow: published. Filled: ours."]
    if len(counts) > MOST:
        left = f"{panel}=... shows one of the {len(counts) - MOST} left out"
        notes.append(f"The {MOST} with the most networks; {left}.")
    if where:
        notes.append(", ".join(f"{name} = {value}" for name, value in where.items()))
    title = (
        f"{AXES[y][0].partition(',')[0]} against {AXES[x][0].partition(' (')[0].partition(',')[0]}"
    )
    return Plot(Picture(title[0].upper() + title[1:], notes, charts, min(3, len(charts))))


def _rows(
    y: str, x: str, panel: str, frame: pandas.DataFrame | None, where: dict[str, Any]
) -> pandas.DataFrame:
    """The points to draw, one per row."""
    if frame is None:
        from fastscale.api import records

        frame = records()
    for name, value in where.items():
        if name not in frame.columns:
            raise InputError(f"no column is named {name!r}; {did_you_mean(name, frame.columns)}")
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        frame = frame[frame[name].isin(list(values))]
    frame = frame.dropna(subset=[y, x, panel])
    if not len(frame):
        asked = f" with {', '.join(f'{k}={v!r}' for k, v in where.items())}" if where else ""
        raise InputError(f"nothing{asked} has both {y} and {x}")
    keys = [name for name in (panel, *POINT) if name in frame.columns]
    grouped = frame.groupby(keys, dropna=False, sort=False)
    found = grouped.agg(**{x: (x, "first"), y: (y, "mean"), "spread": (y, "std")})
    return found.reset_index()


def _chart(rows: pandas.DataFrame, y: str, x: str, heading: str, look: str) -> Chart:
    import pandas

    from fastscale.paper.chart import Chart, Mark
    from fastscale.paper.style import family_style, strategy_style

    (xlabel, x_unit), (ylabel, y_unit) = AXES[x], AXES[y]
    if x_unit == 1e9 and rows[x].max() < 1e8:  # of small networks
        xlabel, x_unit = xlabel.replace(", B", ", M"), 1e6
    marks = []
    for row in rows.itertuples():
        strategy = None if pandas.isna(row.strategy) else row.strategy
        shown = strategy_style(strategy) if look == "strategy" else family_style(row.family or "")
        spread = None if pandas.isna(row.spread) else float(row.spread) / y_unit
        at = float(getattr(row, x)) / x_unit, float(getattr(row, y)) / y_unit
        marks.append(Mark(shown, *at, spread, row.source == "ours"))
    timed = y != "top1_error"
    return Chart(xlabel, ylabel, marks, heading, log_x=True, log_y=timed, zero_y=False)
