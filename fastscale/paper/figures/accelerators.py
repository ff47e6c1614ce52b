"""Pearson r of time per image with acts, flops and params on each device that timm measured.

    drawing:
      by: accelerators
      shown: [a, b]       files to draw network by network: an accelerator, and a CPU for contrast

Times are of inference unless a row says training. timm's training files print no counts, so those
of its inference files are used. Each r is of the logarithms, over all networks in the file (some
are one network under two names).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fastscale.errors import InputError
from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Fit, Layout, Mark, Page, Picture
from fastscale.paper.declare import Some, Text
from fastscale.paper.points import timm_points
from fastscale.paper.pools import Pool
from fastscale.paper.stats import least_squares
from fastscale.paper.style import PALE, Style, family_style
from fastscale.paper.tables.table import Column, Table, fixed
from fastscale.records import Record
from fastscale.records.frame import Row
from fastscale.references.devices import HARDWARE
from fastscale.references.published import published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {
    "acts": Style("#D55E00", "o", 8.7, "acts"),
    "flops": Style("#0072B2", "s", 8.7, "flops (multiply-adds)"),
    "params": Style("#777777", "^", 8.7, "params"),
}


class Device(NamedTuple):
    """One published file: device, conditions, and r of the logarithms with each measure."""

    file: str
    device: str
    conditions: str
    networks: int
    r: dict[str, float | None]

    @property
    def on_cpu(self) -> bool:
        return self.device.startswith("CPU")


def devices() -> list[Device]:
    """Every file: GPUs from the oldest to the newest, then CPUs."""
    first: dict[str, Row] = {}
    for row in published("timm_benchmarks"):
        file = row.written["source"].removeprefix("timm results/").removesuffix(".csv")
        first.setdefault(file, row)
    found = []
    for file, row in first.items():
        points = timm_points(file)
        how = [
            f"torch {'.'.join((row.torch or '').split('.')[:2])}",
            "compiled" if row.compile else "eager",
            row.written["precision"],
            row.written["layout"].upper(),
            *["training"] * (row.mode == "training"),
        ]
        r = {measure: _pool(measure, points).r(log=True) for measure in _STYLES}
        found.append(Device(file, _called(row), ", ".join(how), len(points), r))
    order = [on.name for on in HARDWARE.values()]
    return sorted(
        found, key=lambda d: (order.index(first[d.file].device or ""), d.conditions, d.file)
    )


def _called(row: Row) -> str:
    """The device's name as the figure shows it."""
    name = (row.device or "").removesuffix(" Max-Q")
    return f"CPU {name}" if row.device_type == "cpu" else name


def _pool(measure: str, points: Sequence[Row]) -> Pool:
    return Pool(measure, tuple(points), time="image_time_s")


class Accelerators(Drawing):
    shown: Some[Text]


@dataclass(frozen=True)
class Dots:
    """A panel with one row per file and three marks per row: r with acts, flops and params."""

    found: Sequence[Device]
    heading: str = ""
    marks: Sequence[Mark] = ()

    def draw(self, ax: Axes) -> None:
        """Draws GPUs on top and CPUs below, with a gap between them."""
        from fastscale.paper.render import OURS, RED, label_axes

        gpus = sum(not d.on_cpu for d in self.found)
        heights = [i + d.on_cpu for i, d in enumerate(self.found)]
        for y, d in zip(heights, self.found, strict=True):
            values = [r for r in d.r.values() if r is not None]
            ax.plot([min(values), max(values)], [y, y], color=PALE, linewidth=2.2, zorder=1)
            for measure, style in _STYLES.items():
                ax.plot(
                    [d.r[measure] or 0.0],
                    [y],
                    marker=style.marker,
                    color=style.colour,
                    markersize=style.size * OURS,
                    markeredgecolor="white",
                    markeredgewidth=0.5,
                    zorder=3,
                )
        label_axes(ax, "Pearson r (log-log)")
        ax.text(0.702, gpus, "CPUs, for contrast", fontsize=8, color=RED, va="center")
        ax.set_yticks(heights, labels=[f"{d.device}, {d.conditions}" for d in self.found])
        ax.tick_params(axis="y", labelsize=8)
        ax.set_ylim(max(heights) + 0.6, -0.6)
        ax.set_xlim(0.7, 1.0)
        ax.grid(axis="y", visible=False)


@drawing("accelerators", spec=Accelerators)
def draw_accelerators(
    artifact: Figure, spec: Accelerators, records: Sequence[Record]
) -> list[Page]:
    """One page: r of every device, the networks of the devices in `shown`, and the table."""
    found = devices()
    charts = []
    for file in spec.shown:
        device = next((d for d in found if d.file == file), None)
        if device is None:
            raise InputError(
                f"{artifact.name}: drawing: shown: timm_benchmarks.csv has no {file!r}"
            )
        charts += [_scatter(device, timm_points(file), measure) for measure in ("acts", "flops")]
    dots = Picture(
        artifact.title,
        [
            "Pearson r of the logarithms of time per image and each count.",
            "Published by timm, not ours; inference unless marked training.",
        ],
        [Dots(found)],
        alt="r by device",
        legend=[*_STYLES.values()],
        layout=Layout(left=3.22, right=0.25, width=7.2, panel=0.235 * (len(found) + 1)),
    )
    networks = Picture(
        "An accelerator and a CPU: time per image",
        [
            "Published by timm, inference; left against acts, right against flops.",
            "Below, for contrast: one of two CPUs.",
        ],
        charts,
        2,
        alt="networks of two devices",
    )
    return [
        Page(
            artifact.name,
            artifact.title,
            artifact.shows,
            pictures={artifact.name: dots, f"{artifact.name}-networks": networks},
            caption=[_CAPTION],
            tables=[r_table(found, artifact)],
        )
    ]


def r_table(found: Sequence[Device], artifact: Figure) -> Table:
    """One row per file."""
    columns = [
        Column("device", "device", right=False),
        Column("conditions", "conditions", right=False),
        Column("networks", "networks"),
        Column("r_log_acts", "r with acts", fixed(3)),
        Column("r_log_flops_multiply_adds", "r with flops (multiply-adds)", fixed(3)),
        Column("r_log_params", "r with params", fixed(3)),
        Column("file", "file in timm's results", right=False, terminal=False),
    ]
    rows = [
        [d.device, d.conditions, d.networks, d.r["acts"], d.r["flops"], d.r["params"], d.file]
        for d in found
    ]
    note = (
        "r of the logarithms of time per image and the count, as timm prints them. "
        "Inference unless a row says training."
    )
    ours = "We have no inference records: our timings are of training, see Fig. 2."
    notes = [note, leaders(found), ours]
    return Table(artifact.name, artifact.title, columns, rows, notes)


def leaders(found: Sequence[Device]) -> str:
    """How often r with acts exceeds r with flops, on GPUs and on CPUs, and the exceptions."""
    parts = []
    for what, on_cpu in (("GPU", False), ("CPU", True)):
        files = [d for d in found if d.on_cpu == on_cpu]
        others = [
            f"{d.device}, {d.conditions}"
            for d in files
            if (d.r["acts"] or 0) <= (d.r["flops"] or 0)
        ]
        better = len(files) - len(others)
        text = f"in {better} of {len(files)} {what} files r with acts exceeds r with flops"
        parts.append(text + (f" (not: {'; '.join(others)})" if others else ""))
    return f"{parts[0][0].upper()}{parts[0][1:]}; {parts[1]}."


def _scatter(device: Device, points: Sequence[Row], measure: str) -> Chart:
    unit, label = {"acts": (1e6, "acts, M"), "flops": (1e9, "flops (multiply-adds), B")}[measure]
    pool = _pool(measure, points)
    xs, ys = pool.values(log=True)
    slope, intercept = least_squares(xs, ys)
    low, high = (
        min(getattr(p, measure) for p in points) / unit,
        max(getattr(p, measure) for p in points) / unit,
    )
    # in the panel's units: log(ms) = slope * log(x * unit) + intercept + log(1000)
    line = Fit(slope, intercept + slope * math.log(unit) + math.log(1e3), low, high, power=True)
    marks = [
        Mark(family_style(p.family), getattr(p, measure) / unit, 1e3 * (p.image_time_s or 0.0))
        for p in points
    ]
    heading = (
        f"{device.device}, {device.conditions.split(', ')[1]}: r of logs = {device.r[measure]:.2f}"
    )
    return Chart(label, "ms per image", marks, heading, log_x=True, log_y=True, fits=(line,))


def margin(file: str, measures: tuple[str, str]) -> tuple[float, int]:
    """(r of the logarithms with the first measure minus r with the second, number of networks)."""
    points = timm_points(file)
    first, second = (_pool(measure, points).r(log=True) for measure in measures)
    # every published file holds more than three networks
    assert first is not None and second is not None
    return first - second, len(points)


_CAPTION = (
    "Published by huggingface/pytorch-image-models (`results/`). Each r is over all networks in "
    "the file; some are one network under several names. The two training files of an RTX 3090 "
    "print no counts, so those of the inference files are used; networks that these lack at the "
    "same resolution are left out. CPUs are shown for contrast: the paper's claim is about "
    "memory-bound accelerators, and a CPU cannot confirm it."
)
