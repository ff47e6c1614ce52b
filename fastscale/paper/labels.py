"""Where the text of a point goes: beside it, where it covers no other point, bar or text; or, for a cluster, in a column at the right."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEADER = "#999999"
TEXT: dict[str, Any] = {"fontsize": 10, "color": "#222222", "zorder": 4}
# (dx, dy) in points, horizontal and vertical alignment: right first, as one reads
_PLACES = (
    (9, 0, "left", "center"),
    (-9, 0, "right", "center"),
    (0, 9, "center", "bottom"),
    (0, -9, "center", "top"),
    (8, 8, "left", "bottom"),
    (8, -8, "left", "top"),
    (-8, 8, "right", "bottom"),
    (-8, -8, "right", "top"),
    (16, 16, "left", "bottom"),
    (16, -16, "left", "top"),
    (-16, 16, "right", "bottom"),
    (-16, -16, "right", "top"),
    (26, 0, "left", "center"),
    (-26, 0, "right", "center"),
    (30, 26, "left", "bottom"),
    (30, -26, "left", "top"),
)


class Label(NamedTuple):
    """A point in data coordinates, half the length of its error bar, and its text."""

    x: float
    y: float
    spread: float
    text: str


def place_labels(ax: Axes, labels: Sequence[Label]) -> None:
    """Writes each text beside its point. Where nothing is free it takes the place that covers least; far texts get a thin line."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    pixels = figure.dpi / 72
    frame = ax.get_window_extent(renderer)
    taken = [box for label in labels for box in _point(ax, label, pixels)]
    taken += [box for line in ax.get_lines() for box in _trend(line, ax, pixels)]
    for x, y, _, text in labels:
        best, least = None, float("inf")
        for dx, dy, ha, va in _PLACES:
            far = max(abs(dx), abs(dy)) > 12
            arrow = (
                {"arrowstyle": "-", "color": LEADER, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 5}
                if far
                else None
            )
            note = ax.annotate(
                text,
                (x, y),
                (dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                arrowprops=arrow,
                **TEXT,
            )
            note.update_positions(renderer)
            # of the text alone: with its line it would always touch its own point
            box = Text.get_window_extent(note, renderer)
            outside = box.width * box.height - _shared(box, frame)
            covered = sum(_shared(box, other) for other in taken) + 3 * outside
            if covered < least:
                if best is not None:
                    best[0].remove()
                best, least = (note, box), covered
            else:
                note.remove()
            if least == 0:
                break
        assert best is not None
        taken.append(best[1])


def label_column(ax: Axes, labels: Sequence[Label], gap: float = 15.0) -> None:
    """Writes the texts of a cluster one under another right of the axes, in the order of height, each with a thin line to its point.

    For points so close together that no text fits between them; those in the left half of the axes have their text beside them. `gap` is
    the least distance of two lines of text in points.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    pixels = figure.dpi / 72
    frame = ax.get_window_extent()
    alone = [
        label
        for label in labels
        if ax.transData.transform((label.x, label.y))[0] < (frame.x0 + frame.x1) / 2
    ]
    place_labels(ax, alone)
    ordered = sorted((label for label in labels if label not in alone), key=lambda label: -label.y)
    wanted = [ax.transData.transform((label.x, label.y))[1] for label in ordered]
    for label, height in zip(
        ordered, spread_out(wanted, gap * pixels, frame.y0, frame.y1), strict=True
    ):
        where = ax.transAxes.inverted().transform((frame.x1 + 6 * pixels, height))
        line = {"arrowstyle": "-", "color": LEADER, "linewidth": 0.7, "shrinkA": 2, "shrinkB": 5}
        ax.annotate(
            label.text,
            (label.x, label.y),
            tuple(where),
            textcoords="axes fraction",
            ha="left",
            va="center",
            arrowprops=line,
            **TEXT,
        )


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights in falling order, at least `gap` apart, as near to those wanted as one pass down and one up allow."""
    heights: list[float] = []
    for height in wanted:
        heights.append(min(height, high if not heights else heights[-1] - gap))
    floor = low
    for i in reversed(range(len(heights))):
        heights[i] = max(heights[i], floor)
        floor = heights[i] + gap
    return heights


def _point(ax: Axes, label: Label, pixels: float) -> list[Bbox]:
    x, y = ax.transData.transform((label.x, label.y))
    bar = ax.transData.transform((label.x, label.y + label.spread))[1] - y
    return [
        _around(x, y, 6 * pixels),
        Bbox.from_extents(x - 2 * pixels, y - bar, x + 2 * pixels, y + bar),
    ]


def _trend(line: Line2D, ax: Axes, pixels: float) -> list[Bbox]:
    """A line as small boxes along it; the lines of markers have none."""
    points = ax.transData.transform(line.get_xydata())
    if len(points) != 2 or line.get_linestyle() in ("None", "none", ""):
        return []
    (x0, y0), (x1, y1) = points
    return [
        _around(x0 + (x1 - x0) * i / 60, y0 + (y1 - y0) * i / 60, 1.5 * pixels) for i in range(61)
    ]


def _around(x: float, y: float, half: float) -> Bbox:
    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _shared(a: Bbox, b: Bbox) -> float:
    both = Bbox.intersection(a, b)
    return 0.0 if both is None else both.width * both.height
