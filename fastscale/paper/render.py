"""Draws pictures with matplotlib in the house style, sized for a printed page (7 inches wide).

The same picture gives the same bytes: no date, no program name, no random ids, fonts that come with
matplotlib, and nothing from the user's matplotlib settings.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from fastscale.paper.chart import Chart, Fit, Mark, Picture
from fastscale.paper.style import GREY, PALE, Style, strategy_style

# marker sizes as shares of a style's size; a published point shows as a ring around ours
OURS, PUBLISHED = 0.6, 0.72
BASE = strategy_style(None)
DASHED, DOTTED = (0, (4, 3)), (0, (1, 1.6))
DPI = 130
NOTE_SIZE = 8.5  # points
RED = "#9C1C1C"
_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "fastscale",
    "svg.fonttype": "path",
}


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's defaults with our settings on top; restores the user's settings on exit."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def files(picture: Picture) -> dict[str, bytes]:
    """The SVG and PNG of a picture by suffix, without date or program name."""
    svg, png = io.StringIO(), io.BytesIO()
    with house_style():
        figure = render(picture)
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", metadata={"Software": None}, dpi=DPI)
    return {"svg": svg.getvalue().encode(), "png": png.getvalue()}


def render(picture: Picture) -> Figure:
    """The figure, with as many names per row of the legend as fit. Call it in `house_style`."""
    for per_row in range(4 if picture.columns > 1 or picture.layout.width else 2, 0, -1):
        figure = _laid_out(picture, per_row)
        (legend,) = figure.legends
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        extent = legend.get_window_extent(renderer)
        if extent.x1 <= figure.bbox.width:
            break
    return figure


def _laid_out(picture: Picture, per_row: int) -> Figure:
    panels, layout = picture.panels, picture.layout
    columns = min(picture.columns, len(panels))  # one panel fills the width of two
    rows = -(-len(panels) // columns)
    handles = legend_handles(picture)
    lines = -(-len(handles) // per_row)
    width = layout.width or (4.6 if picture.columns == 1 else 7.2)
    panel = layout.panel or {1: 3.1, 2: 2.75}.get(columns, 2.0)
    titles = picture.title.split("\n")
    notes = [line for text in picture.notes for line in wrapped(text, width - 0.24, NOTE_SIZE)]
    headed = any(panel.heading for panel in panels)
    above = 0.22 + 0.2 * len(titles) + 0.17 * len(notes) + (0.1 if headed else 0)
    below = layout.below + 0.19 * lines + (0.2 if picture.caution else 0)
    gap = layout.between + (0.12 if any(panel.heading for panel in panels[columns:]) else 0)
    height = above + below + rows * panel + (rows - 1) * gap
    inner = width - layout.left - layout.right - layout.between * (columns - 1)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(
        left=layout.left / width,
        right=1 - layout.right / width,
        top=1 - above / height,
        bottom=below / height,
        wspace=layout.between / (inner / columns) if columns > 1 else 0,
        hspace=gap / panel,
    )

    def write(text: str, down: float, **font: Any) -> None:
        figure.text(0.12 / width, 1 - down / height, text, va="center", **font)

    for i, text in enumerate(titles):
        write(text, 0.16 + 0.2 * i, fontsize=11 if i == 0 else 9.5, fontweight="bold")
    for i, text in enumerate(notes):
        write(text, 0.15 + 0.2 * len(titles) + 0.17 * i, fontsize=NOTE_SIZE, color=GREY)
    for i, panel_ in enumerate(panels):
        ax = figure.add_subplot(rows, columns, i + 1)
        if isinstance(panel_, Chart):
            draw_chart(ax, panel_, ticks=6 if columns < 3 else 5)
        else:
            panel_.draw(ax)
    if picture.caution:
        figure.text(0.12 / width, 0.1 / height, picture.caution, fontsize=8, color=RED, va="center")
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.06 / width, (0.22 if picture.caution else 0.04) / height),
        ncol=per_row,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.3,
        columnspacing=1.1,
        labelspacing=0.35,
        borderpad=0.2,
        handlelength=1.4,
    )
    return figure


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The lines of a text of `size` points that fit into `width` inches; breaks at spaces alone."""
    font = FontProperties(size=size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        points, _, _ = text_to_path.get_text_width_height_descent(longer, font, ismath=False)
        lines = [*lines[:-1], longer] if points <= 72 * width else [*lines, word]
    return lines


def draw_chart(ax: Axes, chart: Chart, ticks: int = 7) -> None:
    """Draws a panel's points, lines and axes; at most `ticks` numbers on a logarithmic x axis."""
    for style in dict.fromkeys(mark.style for mark in chart.marks):
        for ours in (False, True):
            own = sorted(
                (m for m in chart.marks if m.style == style and m.ours == ours),
                key=lambda m: (m.x, m.y),
            )
            start = [m for m in chart.marks if m.style == BASE and m.ours == ours and style != BASE]
            joined = start[:1] + own if len(start) == 1 else own
            if chart.join and own and len(joined) > 1:
                ax.plot(
                    [m.x for m in joined],
                    [m.y for m in joined],
                    color=style.colour,
                    linewidth=1.0,
                    linestyle="-" if ours else DOTTED,
                    alpha=0.8,
                    zorder=2,
                )
            for mark in own:
                _draw_mark(ax, mark)
    for fit in chart.fits:
        _draw_fit(ax, fit)
    label_axes(ax, chart.xlabel, chart.ylabel, chart.heading)
    _scale(ax, chart, ticks)


def label_axes(ax: Axes, xlabel: str, ylabel: str = "", heading: str = "") -> None:
    """Sets a panel's labels, heading and tick style."""
    ax.set_xlabel(xlabel, fontsize=9, labelpad=2)
    ax.set_ylabel(ylabel, fontsize=9, labelpad=2)
    ax.set_title(heading, loc="left", color=GREY, fontsize=8.5, pad=4, y=1.0)
    ax.tick_params(labelsize=8.5, length=2.5, pad=2)


def legend_handles(picture: Picture) -> list[Line2D]:
    """One handle per style in the order drawn, then the meaning of hollow and filled."""
    marks = [mark for panel in picture.panels for mark in panel.marks]
    if picture.legend is not None:
        return [
            _handle(style, style.size * OURS, style.colour, label=style.label)
            for style in picture.legend
        ]
    handles = [
        _handle(style, style.size * OURS, style.colour, label=style.label)
        for style in dict.fromkeys(mark.style for mark in marks)
    ]
    for ours, label in ((False, "hollow: published"), (True, "filled: ours")):
        if any(mark.ours == ours for mark in marks):
            grey = Style(GREY, "o", 5, label)
            face = GREY if ours else "white"
            handles.append(
                _handle(grey, 5, GREY, markerfacecolor=face, markeredgecolor=GREY, label=label)
            )
    if any(mark.stand_in for mark in marks):
        ringed = Style(GREY, "o", 5, "black edge: eager time stands in")
        handles.append(_handle(ringed, 5, GREY, markeredgecolor="black", label=ringed.label))
    return handles


def _handle(style: Style, size: float, colour: str, **options: Any) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=style.marker, markersize=size, color=colour, **options
    )


def _draw_mark(ax: Axes, mark: Mark) -> None:
    colour = mark.style.colour
    edge = ("black", 1.0) if mark.stand_in else ("white", 0.4) if mark.ours else (colour, 1.0)
    above = 4 if mark.ours else 3
    # artists by hand: the same picture as errorbar's, which takes five times as long
    point = Line2D(
        [mark.x],
        [mark.y],
        color=colour,
        marker=mark.style.marker,
        markersize=mark.style.size * (OURS if mark.ours else PUBLISHED),
        markerfacecolor=colour if mark.ours else "white",
        markeredgecolor=edge[0],
        markeredgewidth=edge[1],
        alpha=0.9,
        zorder=above + 0.1,
    )
    ax.add_artist(point)
    if mark.spread is not None:
        bar = [(mark.x, mark.y - mark.spread), (mark.x, mark.y + mark.spread)]
        ax.add_artist(LineCollection([bar], colors=colour, linewidths=1.2, alpha=0.9, zorder=above))


def _draw_fit(ax: Axes, fit: Fit) -> None:
    if fit.power:
        xs = [fit.low * (fit.high / fit.low) ** (i / 24) for i in range(25)]
        ys = [math.exp(fit.intercept) * x**fit.slope for x in xs]
    else:
        xs = [fit.low, fit.high]
        ys = [fit.slope * x + fit.intercept for x in xs]
    ax.plot(xs, ys, color=fit.colour, linestyle=DASHED, linewidth=1.0, zorder=1)


def _scale(ax: Axes, chart: Chart, ticks: int) -> None:
    xs = [mark.x for mark in chart.marks]
    ends = [mark.y + sign * (mark.spread or 0.0) for mark in chart.marks for sign in (-1, 1)]
    right = chart.right if chart.right is not None else max(xs)
    if chart.log_x:
        _log_axis(ax, "x", min(xs) / 1.18, right * 1.18, ticks)
    elif not chart.zero_x:  # whole numbers: epochs
        room = 0.06 * max(right - min(xs), 1)
        ax.set_xlim(min(xs) - room, right + room)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ax.set_xlim(0, right * (1.0 if chart.right is not None else 1.06))
    if chart.log_y:
        _log_axis(ax, "y", min(mark.y for mark in chart.marks) / 1.18, max(ends) * 1.18, 7)
    elif chart.zero_y:
        ax.set_ylim(0, max(ends) * 1.06)
    else:
        room = max(max(ends) - min(ends), 0.02 * max(ends), 1e-9) * 0.08
        ax.set_ylim(min(ends) - room, max(ends) + room)


def _log_axis(ax: Axes, which: str, low: float, high: float, most: int) -> None:
    """Makes an axis logarithmic, with at most `most` round numbers, written out."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)
    ticks = plain_ticks(low, high, most)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, labels=[f"{tick:,g}" if tick < 1e5 else f"{tick:,.0f}" for tick in ticks])


def plain_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """At most `most` round numbers from `low` to `high`, such as 1, 2, 3, 5 in each decade."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks
