"""The drawing of the paper's figures: panels of points, published ones hollow and ours filled, with series lines, fits and one legend.

Drawn for the width of a page (7 inches at 9 to 10 points), so that the text is readable in print without enlarging.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from fastscale.paper.figures import house_style, plain_ticks, save_picture
from fastscale.paper.looks import GREY, Look, strategy_look

# of a look's size: many points, small panels; a published point is the larger, to show as a ring around ours where both agree
OURS, PUBLISHED = 0.6, 0.72
BASE = strategy_look(None)
DASHED, DOTTED = (0, (4, 3)), (0, (1, 1.6))


@dataclass(frozen=True)
class Mark:
    """A network in a panel: how it looks, where it stands, half its error bar, whether it is ours (filled) or published (hollow)."""

    look: Look
    x: float
    y: float
    spread: float | None = None
    ours: bool = False


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
    """One panel. `join`: points of a look are joined in the order of x, from the base on; `right`: the axis ends there.

    Published points and ours are joined apart.
    """

    xlabel: str
    ylabel: str
    marks: Sequence[Mark]
    heading: str = ""
    log_x: bool = False
    log_y: bool = False
    zero_y: bool = True
    join: bool = False
    fits: Sequence[Fit] = ()
    right: float | None = None


def draw_charts(
    charts: Sequence[Chart],
    columns: int,
    title: str,
    subtitle: Sequence[str],
    folder: Path,
    name: str,
    caution: str = "",
) -> list[Path]:
    """Writes `<name>.svg` and `<name>.png` into `folder`: the panels row by row, title (second line smaller) above, one legend below."""
    rows = -(-len(charts) // columns)
    with house_style():
        marks = [mark for chart in charts for mark in chart.marks]
        handles = legend_handles(marks)
        per_row = 4 if columns > 1 else 2
        lines = -(-len(handles) // per_row)
        width, panel = (4.6, 3.1) if columns == 1 else (7.2, 2.75 if columns == 2 else 2.0)
        titles = title.split("\n")
        subtitle = [line for text in subtitle for line in textwrap.wrap(text, round(14.4 * width))]
        above = (
            0.22
            + 0.2 * len(titles)
            + 0.17 * len(subtitle)
            + (0.1 if any(chart.heading for chart in charts) else 0)
        )
        below = 0.62 + 0.19 * lines + (0.2 if caution else 0)
        gap = 0.62 + (0.12 if any(chart.heading for chart in charts[columns:]) else 0)
        height = above + below + rows * panel + (rows - 1) * gap
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        figure.subplots_adjust(
            left=0.62 / width,
            right=1 - 0.14 / width,
            top=1 - above / height,
            bottom=below / height,
            wspace=0.62 / ((width - 0.76 - 0.62 * (columns - 1)) / columns) if columns > 1 else 0,
            hspace=gap / panel,
        )
        for i, text in enumerate(titles):
            figure.text(
                0.12 / width,
                1 - (0.16 + 0.2 * i) / height,
                text,
                fontsize=11 if i == 0 else 9.5,
                fontweight="bold",
                va="center",
            )
        for i, text in enumerate(subtitle):
            down = 0.15 + 0.2 * len(titles) + 0.17 * i
            figure.text(
                0.12 / width, 1 - down / height, text, fontsize=8.5, color=GREY, va="center"
            )
        for i, chart in enumerate(charts):
            draw_chart(
                figure.add_subplot(rows, columns, i + 1), chart, ticks=6 if columns < 3 else 5
            )
        if caution:
            figure.text(
                0.12 / width, 0.1 / height, caution, fontsize=8, color="#9C1C1C", va="center"
            )
        bottom = (0.22 if caution else 0.04) / height
        figure.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.06 / width, bottom),
            ncol=per_row,
            frameon=False,
            fontsize=8.5,
            handletextpad=0.3,
            columnspacing=1.1,
            labelspacing=0.35,
            borderpad=0.2,
            handlelength=1.4,
        )
        return save_picture(figure, folder, name, dpi=130)


def draw_chart(ax: Axes, chart: Chart, ticks: int = 7) -> None:
    """One panel's points, lines and axes; at most `ticks` numbers on a logarithmic one."""
    for look in dict.fromkeys(mark.look for mark in chart.marks):
        for ours in (False, True):
            own = sorted(
                (m for m in chart.marks if m.look == look and m.ours == ours),
                key=lambda m: (m.x, m.y),
            )
            start = [m for m in chart.marks if m.look == BASE and m.ours == ours and look != BASE]
            joined = start[:1] + own if len(start) == 1 else own
            if chart.join and own and len(joined) > 1:
                line = "-" if ours else DOTTED
                ax.plot(
                    [m.x for m in joined],
                    [m.y for m in joined],
                    color=look.colour,
                    linewidth=1.0,
                    linestyle=line,
                    alpha=0.8,
                    zorder=2,
                )
            for mark in own:
                _draw_mark(ax, mark)
    for fit in chart.fits:
        _draw_fit(ax, fit)
    ax.set_xlabel(chart.xlabel, fontsize=9, labelpad=2)
    ax.set_ylabel(chart.ylabel, fontsize=9, labelpad=2)
    ax.set_title(chart.heading, loc="left", color=GREY, fontsize=8.5, pad=4)
    ax.tick_params(labelsize=8.5, length=2.5, pad=2)
    _scale(ax, chart, ticks)


def legend_handles(marks: Sequence[Mark]) -> list[Line2D]:
    """A handle a look, in the order drawn; then what hollow and filled mean."""
    handles = []
    for look in dict.fromkeys(mark.look for mark in marks):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker=look.marker,
                markersize=look.size * OURS,
                color=look.colour,
                label=look.words,
            )
        )
    for ours, words in ((False, "hollow: published"), (True, "filled: ours")):
        if any(mark.ours == ours for mark in marks):
            face = GREY if ours else "white"
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="none",
                    marker="o",
                    markersize=5,
                    markeredgecolor=GREY,
                    markerfacecolor=face,
                    label=words,
                )
            )
    return handles


def _draw_mark(ax: Axes, mark: Mark) -> None:
    colour = mark.look.colour
    ax.errorbar(
        [mark.x],
        [mark.y],
        yerr=None if mark.spread is None else [mark.spread],
        color=colour,
        marker=mark.look.marker,
        markersize=mark.look.size * (OURS if mark.ours else PUBLISHED),
        markerfacecolor=colour if mark.ours else "white",
        markeredgecolor="white" if mark.ours else colour,
        markeredgewidth=0.4 if mark.ours else 1.0,
        alpha=0.9,
        elinewidth=1.2,
        zorder=4 if mark.ours else 3,
    )


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
    """A logarithmic axis with a few round numbers, written out."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(low, high)
    ticks = plain_ticks(low, high, most)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, labels=[f"{tick:,g}" if tick < 1e5 else f"{tick:,.0f}" for tick in ticks])
