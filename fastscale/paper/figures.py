"""The house style of every figure, and the drawing of panels of labelled points: one colour and marker a strategy, everywhere.

The same points give the same file: no date, no program name, no random ids, fonts that come with matplotlib, and nothing from a user's own
matplotlib settings.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from fastscale.common import write_whole
from fastscale.paper.labels import Label, label_column, place_labels
from fastscale.paper.looks import GREY, IN_WORDS, PALE, SAME, strategy_look

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


@dataclass(frozen=True)
class Point:
    """One network: where it stands, the half length of its error bar (None: a single run, no bar) and the short text beside it."""

    strategy: str | None
    x: float
    y: float
    spread: float | None = None
    text: str = ""


@dataclass(frozen=True)
class Panel:
    """Points under a heading; `log_x` for a scale of factors, otherwise both axes start at zero unless `zero_y` is off."""

    xlabel: str
    ylabel: str
    points: Sequence[Point]
    heading: str = ""
    log_x: bool = False
    zero_y: bool = True
    column: bool = False  # labels in a column at the right, for points in a cluster
    line: tuple[float, float] | None = None  # (slope, intercept) of a least-squares line


def draw(
    panels: Sequence[Panel], title: str, subtitle: str, folder: Path, name: str, caution: str = ""
) -> list[Path]:
    """Draws the panels side by side and writes `<name>.svg` and `<name>.png` into `folder`; a `caution` stands in the picture itself."""
    with house_style():
        width, height = (7.2, 4.8) if len(panels) == 1 else (3.8 * len(panels), 4.6)
        margin = 1.35 if any(panel.column for panel in panels) else 0.25
        figure = Figure(figsize=(width, height))
        canvas = FigureCanvasAgg(figure)
        figure.subplots_adjust(
            left=0.8 / width,
            right=1 - margin / width,
            top=1 - 1.05 / height,
            bottom=1.1 / height,
            wspace=0.16,
        )
        figure.text(
            0.2 / width, 1 - 0.30 / height, title, fontsize=13, fontweight="bold", va="center"
        )
        figure.text(
            0.2 / width,
            1 - 0.58 / height,
            subtitle,
            fontsize=min(9.5, 9.5 * 13 * width / len(subtitle)),
            color=GREY,
            va="center",
        )
        for line, text in enumerate(filter(None, [legend(panels), caution])):
            figure.text(
                0.2 / width,
                (0.18 + 0.2 * (1 - line)) / height,
                text,
                fontsize=9,
                color=GREY,
                va="center",
            )
        axes = [figure.add_subplot(1, len(panels), i + 1) for i in range(len(panels))]
        for ax, panel in zip(axes, panels, strict=True):
            _draw(ax, panel)
        canvas.draw()
        for ax, panel in zip(axes, panels, strict=True):
            labels = [
                Label(point.x, point.y, point.spread or 0.0, point.text) for point in panel.points
            ]
            write = label_column if panel.column else place_labels
            write(ax, labels)
        return save_picture(figure, folder, name)


def save_picture(figure: Figure, folder: Path, name: str, dpi: int = 150) -> list[Path]:
    """Writes `<name>.svg` and `<name>.png` (at `dpi`) into `folder`, without date or program; to be called in the house style."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        picture = io.BytesIO()
        figure.savefig(picture, format=kind, metadata=metadata, dpi=dpi if kind == "png" else None)
        made.append(write_whole(folder / f"{name}.{kind}", picture.getvalue()))
    return made


def legend(panels: Sequence[Panel]) -> str:
    """One line that says what the strategies on the panels are, in the order drawn."""
    seen = dict.fromkeys(
        point.strategy for panel in panels for point in panel.points if point.strategy
    )
    return "   ".join(
        f"{name}: {IN_WORDS[SAME.get(name, name)]}"
        for name in seen
        if SAME.get(name, name) in IN_WORDS
    )


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's own defaults with ours on top, whatever the user's settings are; put back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def _draw(ax: Axes, panel: Panel) -> None:
    for point in panel.points:
        colour, marker, size, _ = strategy_look(point.strategy)
        ax.errorbar(
            [point.x],
            [point.y],
            yerr=None if point.spread is None else [point.spread],
            color=colour,
            marker=marker,
            markersize=size,
            alpha=0.8,  # one marker shows through another
            markeredgecolor="white",
            markeredgewidth=0.8,
            elinewidth=1.6,
            zorder=3,
        )
    ax.set_xlabel(panel.xlabel)
    ax.set_ylabel(panel.ylabel)
    ax.set_title(panel.heading, loc="left", color=GREY)
    xs = [point.x for point in panel.points]
    lows = [point.y - (point.spread or 0.0) for point in panel.points]
    highs = [point.y + (point.spread or 0.0) for point in panel.points]
    if panel.log_x:
        ax.set_xscale("log")
        ax.set_xlim(min(xs) / 1.25, max(xs) * 1.35)
        ticks = plain_ticks(min(xs) / 1.2, max(xs) * 1.3)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    else:
        ax.set_xlim(0, max(xs) * 1.18)
    if panel.zero_y:
        ax.set_ylim(0, max(highs) * 1.15)
    else:
        room = max(max(highs) - min(lows), 0.02 * max(highs), 1e-9) * 0.18
        ax.set_ylim(min(lows) - room, max(highs) + room)
    if panel.line is not None:
        slope, intercept = panel.line
        ends = [min(xs), max(xs)]
        ax.plot(
            ends,
            [slope * x + intercept for x in ends],
            color=GREY,
            linestyle=(0, (4, 3)),
            linewidth=1.0,
            zorder=1,
        )


def plain_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """At most `most` round numbers (1, 2, 3, 5 times a power of ten) from low to high, thinned to the decades where there are too many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks
