"""Device time and eager time against acts, flops and params, and where acts fail to predict them.

drawing:
  by: device-time
  device: h100            short name (see `references.devices.short_name`)
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Fit, Mark, Page, Picture
from fastscale.paper.declare import Text
from fastscale.paper.device_time import Timed, r, timed
from fastscale.paper.stats import least_squares
from fastscale.paper.style import GREY, Style, family_style
from fastscale.paper.tables.device_time import COUNTS, law_table, networks_table, r_table
from fastscale.planning.fit import fit
from fastscale.records import Record

_AXES = {
    "acts": ("acts, M", 1e6),
    "flops": ("flops (multiply-adds), B", 1e9),
    "params": ("params, M", 1e6),
}
_CLOCKS = {"device": "device time, ms per image", "eager": "eager time, ms per image"}
# by group width: channels per group of the grouped convs
_WIDTHS = {
    "depthwise": Style("#332288", "o", 7.0, "depthwise"),
    "thin": Style("#56B4E9", "s", 7.0, "2 to 7 channels per group"),
    "even": Style("#009E73", "^", 8.0, "a power of two, 8 or more"),
    "uneven": Style("#D55E00", "D", 7.5, "another width above 8"),
}
SLOW = 1.35  # times the prediction from acts and layers: above it a network is named as an outlier


class DeviceTime(Drawing):
    device: Text

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        return [artifact.name] if timed(records, self.device) else []

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        found = timed(records, self.device)
        graphs = sum(not n.stand_in for n in found)
        return f"Our records: {len(found)} networks, {graphs} of them as replayed graphs."


@drawing("device-time", spec=DeviceTime)
def draw_device_time(artifact: Figure, spec: DeviceTime, records: Sequence[Record]) -> list[Page]:
    """The page; with fewer than three networks it only says that there is no record yet."""
    found = timed(records, spec.device)
    if len(found) < 3:
        return [Page(artifact.name, artifact.title, artifact.shows, ["No record yet."])]
    name, where = artifact.name, under(found)
    clocks = Picture(
        artifact.title,
        [
            where,
            "r: Pearson, linear. Top: device time (one replayed CUDA graph). Bottom: eager time.",
        ],
        [clock_chart(found, count, clock) for clock in _CLOCKS for count in COUNTS],
        3,
        alt="device time and eager time against acts, flops and params",
    )
    widths = Picture(
        "What the device reaches, and what group width costs",
        [where, "Dashed: constant bandwidth, 0.5 and 1 TB/s."],
        [
            roofline(found),
            width_chart(found, "GB/s (at least)", lambda n: (n.row.acts or 0) / 1e6, "acts, M"),
            width_chart(found, "ps per activation", lambda n: n.width, "channels per group"),
            width_chart(
                found, "eager time / device time", lambda n: 1e3 * n.device, "ms per image"
            ),
        ],
        2,
        alt="roofline, and device time per activation by group width",
    )
    return [
        Page(
            name,
            artifact.title,
            artifact.shows,
            [f"**{where}**"],
            {name: clocks, f"{name}-widths": widths},
            findings(found),
            [
                r_table(found, name),
                law_table(found, f"{name}-law"),
                networks_table(found, f"{name}-networks"),
            ],
        )
    ]


def under(found: Sequence[Timed]) -> str:
    """The conditions of measurement in words."""
    row, sizes = found[0].row, sorted({int(n.row.batch or 0) for n in found}, reverse=True)
    batches = " or ".join(map(str, sizes))
    graphs = sum(not n.stand_in for n in found)
    return (
        f"{row.device}, {row.precision}, {row.layout}, batch {batches}, training steps on dummy "
        f"data, {len(found)} networks, {graphs} as graphs."
    )


def clock_chart(found: Sequence[Timed], count: str, clock: str) -> Chart:
    """Time by a clock against a count; the heading gives r with and without stand-ins."""
    label, unit = _AXES[count]
    marks = []
    for n in found:
        place = getattr(n.row, count) / unit, 1e3 * getattr(n, clock)
        stand_in = n.stand_in and clock == "device"
        marks.append(Mark(family_style(n.row.family), *place, ours=True, stand_in=stand_in))
    heading = f"r = {r(found, count, clock):.3f}"
    if clock == "device":
        heading += f", graphs alone {r([n for n in found if not n.stand_in], count, clock):.3f}"
    slope, intercept = least_squares([math.log(m.x) for m in marks], [math.log(m.y) for m in marks])
    line = Fit(slope, intercept, min(m.x for m in marks), max(m.x for m in marks), power=True)
    ylabel = _CLOCKS[clock] if count == COUNTS[0] else ""
    return Chart(label, ylabel, marks, heading, log_x=True, log_y=True, fits=(line,))


def width_style(width: int) -> Style:
    """The style for a group width, in channels per group."""
    if width <= 1:
        return _WIDTHS["depthwise"]
    if width < 8:
        return _WIDTHS["thin"]
    return _WIDTHS["uneven" if width & (width - 1) else "even"]


_Y = {
    "GB/s (at least)": lambda n: n.bytes_per_s / 1e9,
    "ps per activation": lambda n: 1e12 * n.per_act,
    "eager time / device time": lambda n: n.eager / n.device,
}


def width_chart(found: Sequence[Timed], what: str, x, xlabel: str) -> Chart:
    """One number per network that has a device time, styled by group width."""
    marks = [
        Mark(width_style(n.width), x(n), _Y[what](n), ours=True) for n in found if not n.stand_in
    ]
    return Chart(xlabel, what, marks, log_x=True, log_y=what.startswith("eager"))


def roofline(found: Sequence[Timed]) -> Chart:
    """Multiply-adds per second against multiply-adds per byte, with lines of constant bandwidth."""
    own = [n for n in found if not n.stand_in]
    marks = [
        Mark(width_style(n.width), n.intensity, n.multiply_adds_per_s / 1e12, ours=True)
        for n in own
    ]
    ends = min(m.x for m in marks), max(m.x for m in marks)
    lines = [Fit(1.0, math.log(tb), *ends, GREY, power=True) for tb in (0.5, 1.0)]
    ylabel = "T multiply-adds per second"
    return Chart("multiply-adds per byte", ylabel, marks, log_x=True, log_y=True, fits=lines)


def findings(found: Sequence[Timed]) -> list[str]:
    """What the numbers say for the claim and against it, as paragraphs."""
    graphs = [n for n in found if not n.stand_in]
    ratios = sorted(n.eager / n.device for n in graphs)
    above = sum(ratio > 1.5 for ratio in ratios)
    base = fit([n.observation for n in graphs], ("acts", "layers"))
    over = [
        (n.device / base.image_time_s(n.observation.terms, n.row.batch or 1), n) for n in graphs
    ]
    even = [n.bytes_per_s / 1e9 for n in graphs if width_style(n.width) != _WIDTHS["uneven"]]
    uneven = [n.bytes_per_s / 1e9 for n in graphs if width_style(n.width) == _WIDTHS["uneven"]]
    slow = sorted(((x, n) for x, n in over if x > SLOW), key=lambda pair: -pair[0])
    named = ", ".join(f"{n.row.arch} ({n.width} channels per group) {x:.2f}" for x, n in slow)
    middle = ratios[len(ratios) // 2]
    lines = [
        f"- **Why it holds.** The device moves {_middle(even)} GB/s for nine in ten of the "
        "networks whose group widths are powers of two or below 8, while the multiply-adds per "
        f"second of all networks differ by a factor of {_spread(graphs)}. A step takes as long as "
        "moving its bytes, and these are activations.",
        f"- **What hides it.** The median ratio of eager time to device time is {middle:.2f}, the "
        f"largest {ratios[-1]:.1f}; {above} of {len(ratios)} networks are above 1.5. A step "
        "launches hundreds of small kernels, and the host takes longer to launch them than the "
        "device to run them. That time is the host's, not the network's.",
    ]
    if uneven:
        lines.append(
            "- **Where it breaks.** Grouped convs whose width is not a power of two reach "
            f"{_middle(uneven)} GB/s. These networks take more than {SLOW} times the time "
            "predicted from acts and layers (a law fitted to all networks timed as graphs): "
            f"{named}."
        )
    lines += _other_side(graphs)
    return ["\n".join(lines), _NOT_TRIED]


_NOT_TRIED = (
    "Not tried: which kernels these networks spend their time in (scripts/gpu/kernels.py shows it "
    "on such a device), and whether restricting group widths to powers of two keeps the accuracy."
)


def _middle(values: Sequence[float]) -> str:
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return f"{low:.0f} to {high:.0f}"


def _spread(networks: Sequence[Timed]) -> str:
    speeds = [n.multiply_adds_per_s for n in networks]
    return f"{max(speeds) / min(speeds):.0f}"


def _other_side(graphs: Sequence[Timed]) -> list[str]:
    """Where dWr is slow for its acts, and pairs in which the larger network takes less time."""
    own = [n for n in graphs if n.row.base == "regnety-4gf" and n.row.factor == 2]
    lines = []
    fast = next((n for n in own if n.row.strategy == "dWr"), None)
    if fast:
        fewer = sum((n.row.acts or 0) < (fast.row.acts or 0) for n in own)
        slower = sum(n.device > fast.device for n in own)
        each = ", ".join(
            f"{n.row.strategy} {(n.row.acts or 0) / 1e6:.1f} M and {_step_ms(n):.0f} ms"
            for n in sorted(own, key=lambda n: n.device)
        )
        lines.append(
            "- **The other side, within one family.** RegNetY-4GF at x2, acts and time per step: "
            f"{each}. Of these {len(own)} networks, {fewer} have fewer acts than dWr and {slower} "
            f"take longer: fast scaling is not fast here, because its group width is {fast.width}."
        )
    pairs = _pairs(graphs)
    if pairs:
        each = "; ".join(
            f"{a.row.arch} ({a.width} per group) {_step_ms(a):.0f} ms, "
            f"{b.row.arch} ({b.width}) {_step_ms(b):.0f} ms"
            for a, b in pairs
        )
        lines.append(f"- **Larger and faster**: {each}.")
    return lines


def _step_ms(n: Timed) -> float:
    return 1e3 * n.device * (n.row.batch or 1)


def _pairs(graphs: Sequence[Timed]) -> list[tuple[Timed, Timed]]:
    """Networks of one base and strategy, each with the next larger one if that takes less time."""
    series: dict[tuple, list[Timed]] = {}
    for n in graphs:
        series.setdefault((n.row.base, n.row.strategy), []).append(n)
    found = []
    for own in series.values():
        ordered = sorted(own, key=lambda n: n.row.flops or 0)
        found += [(a, b) for a, b in pairwise(ordered) if b.device < a.device]
    return found
