"""Does the claim hold today? r of an image's time with acts, flops and params on each device that timm has measured.

    drawing:
      by: accelerators
      shown: [a, b]       the files whose networks are drawn one by one: an accelerator, and a CPU for contrast

Inference unless a line says training (whose files print no counts: those of the inference files serve). Each r is that of the logarithms
of all networks in the file (some are the same network under two names).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact
from fastscale.paper.chart import Chart, Fit, Mark, draw_charts
from fastscale.paper.comparison import least_squares
from fastscale.paper.figures import house_style, save_picture
from fastscale.paper.looks import GREY, PALE, family_look
from fastscale.paper.places import write_text
from fastscale.paper.points import timm_points
from fastscale.paper.runtime import Pool
from fastscale.paper.tables import Column, Table, fixed, to_markdown, write_numbers
from fastscale.records import Record
from fastscale.records.frame import Row
from fastscale.references.devices import HARDWARE
from fastscale.references.published import published

_MARKS = {"acts": ("#D55E00", "o"), "flops": ("#0072B2", "s"), "params": ("#777777", "^")}


class Device(NamedTuple):
    """One published file: what it was measured on, and r of logs with each measure."""

    file: str
    device: str
    conditions: str
    networks: int
    r: dict[str, float | None]

    @property
    def on_cpu(self) -> bool:
        """Whether it is a CPU."""
        return self.device.startswith("CPU")


def devices(artifact: Artifact) -> list[Device]:
    """Every file; GPUs from the oldest on, CPUs last."""
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
        r = {measure: _pool(measure, points).r(log=True) for measure in _MARKS}
        found.append(Device(file, _called(row), ", ".join(how), len(points), r))
    order = [on.name for on in HARDWARE.values()]
    return sorted(
        found, key=lambda d: (order.index(first[d.file].device or ""), d.conditions, d.file)
    )


def _called(row: Row) -> str:
    """A device as the figure calls it."""
    name = (row.device or "").removesuffix(" Max-Q")
    return f"CPU {name}" if row.device_type == "cpu" else name


def _pool(measure: str, points: Sequence[Row]) -> Pool:
    return Pool(measure, tuple(points), time="image_time_s")


def draw_accelerators(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
    """The r of every device side by side; two devices' networks one by one; the table."""
    found = devices(artifact)
    paths = _dots(found, artifact, folder)
    charts = []
    for file in artifact.drawing["shown"]:
        device = next((d for d in found if d.file == file), None)
        if device is None:
            raise InputError(
                f"{artifact.name}: drawing: shown: timm_benchmarks.csv has no {file!r}"
            )
        charts += [_scatter(device, timm_points(file), measure) for measure in ("acts", "flops")]
    subtitle = [
        "Published by timm, inference; left against acts, right against flops.",
        "Below, for contrast: one of two CPUs.",
    ]
    paths += draw_charts(
        charts,
        2,
        "An accelerator and a CPU: time of an image",
        subtitle,
        folder,
        f"{artifact.name}-networks",
    )
    table = r_table(found, artifact)
    text = [
        f"# {artifact.title}",
        "",
        artifact.shows.strip(),
        "",
        f"![r by device]({artifact.name}.svg)",
        "",
    ]
    text += [
        f"![networks of two devices]({artifact.name}-networks.svg)",
        "",
        _CAPTION,
        "",
        to_markdown(table),
    ]
    paths.append(write_text(folder / f"{artifact.name}.md", "\n".join(text).rstrip() + "\n"))
    return [*paths, *write_numbers(table, folder)]


def r_table(found: Sequence[Device], artifact: Artifact) -> Table:
    """One row a file."""
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
    note = "r of the logarithms of an image's time and the count, as timm prints them; inference unless a line says training."
    notes = [note, leaders(found), "Ours: no record; our timings are of training, see Fig. 2."]
    return Table(artifact.name, artifact.title, columns, rows, notes)


def leaders(found: Sequence[Device]) -> str:
    """How often acts predict better than flops, on GPUs and on CPUs, and where they do not."""
    said = []
    for what, on_cpu in (("GPU", False), ("CPU", True)):
        own = [d for d in found if d.on_cpu == on_cpu]
        others = [
            f"{d.device}, {d.conditions}" for d in own if (d.r["acts"] or 0) <= (d.r["flops"] or 0)
        ]
        first = f"in {len(own) - len(others)} of {len(own)} {what} files r with acts is above r with flops"
        said.append(first + (f" (not: {'; '.join(others)})" if others else ""))
    return f"{said[0][0].upper()}{said[0][1:]}; {said[1]}."


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
        Mark(family_look(p.family), getattr(p, measure) / unit, 1e3 * (p.image_time_s or 0.0))
        for p in points
    ]
    heading = (
        f"{device.device}, {device.conditions.split(', ')[1]}: r of logs = {device.r[measure]:.2f}"
    )
    return Chart(label, "ms an image", marks, heading, log_x=True, log_y=True, fits=(line,))


def _dots(found: Sequence[Device], artifact: Artifact, folder: Path) -> list[Path]:
    """One line a file, three marks a line: r with acts, flops, params."""
    with house_style():
        width, height = 7.2, 1.25 + 0.235 * (len(found) + 1)
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        figure.subplots_adjust(
            left=3.22 / width, right=1 - 0.25 / width, top=1 - 0.62 / height, bottom=0.63 / height
        )
        figure.text(
            0.12 / width,
            1 - 0.16 / height,
            artifact.title,
            fontsize=11,
            fontweight="bold",
            va="center",
        )
        said = "r of logarithms of an image's time with each count; published by timm, not ours; inference unless it says training"
        figure.text(0.12 / width, 1 - 0.38 / height, said, fontsize=8.5, color=GREY, va="center")
        gpus = sum(not d.on_cpu for d in found)
        heights = [i if not d.on_cpu else i + 1 for i, d in enumerate(found)]
        for y, d in zip(heights, found, strict=True):
            values = [r for r in d.r.values() if r is not None]
            ax.plot(
                [min(values), max(values)],
                [y, y],
                color=PALE,
                linewidth=2.2,
                zorder=1,
                solid_capstyle="round",
            )
            for measure, (colour, marker) in _MARKS.items():
                ax.plot(
                    [d.r[measure] or 0.0],
                    [y],
                    marker=marker,
                    color=colour,
                    markersize=5.2,
                    markeredgecolor="white",
                    markeredgewidth=0.5,
                    zorder=3,
                )
        ax.text(
            1.0,
            gpus - 0.02,
            "CPUs, for contrast",
            fontsize=8,
            color="#9C1C1C",
            ha="right",
            va="center",
        )
        ax.set_yticks(heights, labels=[f"{d.device}, {d.conditions}" for d in found], fontsize=8)
        ax.set_ylim(max(heights) + 0.6, -0.6)
        ax.set_xlim(0.7, 1.0)
        ax.grid(axis="y", visible=False)
        ax.tick_params(labelsize=8, length=2)
        ax.set_xlabel("Pearson r (log-log)", fontsize=9)
        handles = [
            Line2D([], [], linestyle="none", marker=m, color=c, markersize=5.2, label=name)
            for name, (c, m) in _MARKS.items()
        ]
        figure.legend(
            handles=handles,
            loc="lower left",
            ncol=3,
            frameon=False,
            fontsize=8.5,
            handletextpad=0.2,
        )
        return save_picture(figure, folder, artifact.name, dpi=130)


def margin(file: str, measures: tuple[str, str]) -> tuple[float, int]:
    """(r of logs with the first measure minus that with the second, number of networks) of one published file."""
    points = timm_points(file)
    rs = [_pool(measure, points).r(log=True) for measure in measures]
    assert (
        rs[0] is not None and rs[1] is not None
    )  # a published file holds more than three networks
    return rs[0] - rs[1], len(points)


_CAPTION = (
    "Published by huggingface/pytorch-image-models (`results/`). Each r is of all the file's networks; some of them are one network under "
    "several names. The two training files of an RTX 3090 print no counts: those of the inference files serve, and networks that these do "
    "not hold at the same resolution are left out. CPUs stand here for contrast: the "
    "paper's claim is about memory-bound accelerators, and a CPU is never offered as its confirmation."
)
