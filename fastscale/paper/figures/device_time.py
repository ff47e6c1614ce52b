"""Device time and eager time over acts, flops, params; what the device reaches; where acts fail.

drawing:
  by: device-time
  device: h100            by its short name (see `references.devices.short_name`)
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Fit, Mark, Page, Picture
from fastscale.paper.declare import Text
from fastscale.paper.device_time import Timed, r, timed
from fastscale.paper.stats import least_squares
from fastscale.paper.style import GREY, Look, family_look
from fastscale.paper.tables.device_time import COUNTS, law_table, networks_table, r_table
from fastscale.planning.fit import fit
from fastscale.records import Record

_AXES = {
    "acts": ("acts, M", 1e6),
    "flops": ("flops (multiply-adds), B", 1e9),
    "params": ("params, M", 1e6),
}
_CLOCKS = {"device": "device time, ms an image", "eager": "eager time, ms an image"}
# by channels a group of the grouped convs
_WIDTHS = {
    "depthwise": Look("#332288", "o", 7.0, "depthwise"),
    "thin": Look("#56B4E9", "s", 7.0, "2 to 7 channels a group"),
    "even": Look("#009E73", "^", 8.0, "a power of two from 8 on"),
    "uneven": Look("#D55E00", "D", 7.5, "another width from 8 on"),
}
SLOW = 1.35  # times what acts and layers say: named as an outlier


class DeviceTime(Drawing):
    """The options."""

    device: Text

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        """One page, where anything was timed."""
        return [artifact.name] if timed(records, self.device) else []

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        """How many networks, and how many of them as graphs."""
        found = timed(records, self.device)
        graphs = sum(not n.stand_in for n in found)
        return f"Records of ours: {len(found)} networks, {graphs} of them as replayed graphs."


@drawing("device-time", spec=DeviceTime)
def draw_device_time(artifact: Figure, spec: DeviceTime, records: Sequence[Record]) -> list[Page]:
    """The page; without records its title alone."""
    found = timed(records, spec.device)
    if len(found) < 3:
        return [Page(artifact.name, artifact.title, artifact.shows, ["No record yet."])]
    name, where = artifact.name, under(found)
    clocks = Picture(
        artifact.title,
        [
            where,
            "r: Pearson, linear. Above device time (one replayed CUDA graph), below eager time.",
        ],
        [clock_chart(found, count, clock) for clock in _CLOCKS for count in COUNTS],
        3,
        alt="device time and eager time against acts, flops and params",
    )
    widths = Picture(
        "What the device reaches, and what group width costs",
        [where, "Dashed: as many bytes a second everywhere (0.5 and 1 TB/s)."],
        [
            roofline(found),
            width_chart(found, "GB/s (at least)", lambda n: (n.row.acts or 0) / 1e6, "acts, M"),
            width_chart(found, "ps an activation", lambda n: n.width, "channels a group"),
            width_chart(found, "eager time / device time", lambda n: 1e3 * n.device, "ms an image"),
        ],
        2,
        alt="roofline, and device time an activation by group width",
    )
    return [
        Page(
            name,
            artifact.title,
            artifact.shows,
            [f"**{where}**"],
            {name: clocks, f"{name}-widths": widths},
            said(found),
            [
                r_table(found, name),
                law_table(found, f"{name}-law"),
                networks_table(found, f"{name}-networks"),
            ],
        )
    ]


def under(found: Sequence[Timed]) -> str:
    """What they were measured under, in words."""
    row, sizes = found[0].row, sorted({int(n.row.batch or 0) for n in found}, reverse=True)
    batches = " or ".join(map(str, sizes))
    said = f"{row.device}, {row.precision}, {row.layout}, batch {batches}"
    graphs = sum(not n.stand_in for n in found)
    return f"{said}, training steps on dummy data, {len(found)} networks, {graphs} as graphs."


def clock_chart(found: Sequence[Timed], count: str, clock: str) -> Chart:
    """Time by a clock against a count; the heading says r, over all and without stand-ins."""
    label, unit = _AXES[count]
    marks = []
    for n in found:
        place = getattr(n.row, count) / unit, 1e3 * getattr(n, clock)
        stand_in = n.stand_in and clock == "device"
        marks.append(Mark(family_look(n.row.family), *place, ours=True, stand_in=stand_in))
    heading = f"r = {r(found, count, clock):.3f}"
    if clock == "device":
        heading += f", graphs alone {r([n for n in found if not n.stand_in], count, clock):.3f}"
    slope, intercept = least_squares([math.log(m.x) for m in marks], [math.log(m.y) for m in marks])
    line = Fit(slope, intercept, min(m.x for m in marks), max(m.x for m in marks), power=True)
    ylabel = _CLOCKS[clock] if count == COUNTS[0] else ""
    return Chart(label, ylabel, marks, heading, log_x=True, log_y=True, fits=(line,))


def width_look(width: int) -> Look:
    """By the channels a group of a network's grouped convs."""
    if width <= 1:
        return _WIDTHS["depthwise"]
    if width < 8:
        return _WIDTHS["thin"]
    return _WIDTHS["uneven" if width & (width - 1) else "even"]


_Y = {
    "GB/s (at least)": lambda n: n.bytes_per_s / 1e9,
    "ps an activation": lambda n: 1e12 * n.per_act,
    "eager time / device time": lambda n: n.eager / n.device,
}


def width_chart(found: Sequence[Timed], what: str, x, xlabel: str) -> Chart:
    """One number of each network that has a device time, looks by group width."""
    marks = [
        Mark(width_look(n.width), x(n), _Y[what](n), ours=True) for n in found if not n.stand_in
    ]
    return Chart(xlabel, what, marks, log_x=True, log_y=what.startswith("eager"))


def roofline(found: Sequence[Timed]) -> Chart:
    """Multiply-adds a second against multiply-adds a byte; lines of equal bytes a second."""
    own = [n for n in found if not n.stand_in]
    marks = [
        Mark(width_look(n.width), n.intensity, n.multiply_adds_per_s / 1e12, ours=True) for n in own
    ]
    ends = min(m.x for m in marks), max(m.x for m in marks)
    lines = [Fit(1.0, math.log(tb), *ends, GREY, power=True) for tb in (0.5, 1.0)]
    ylabel = "T multiply-adds a second"
    return Chart("multiply-adds a byte", ylabel, marks, log_x=True, log_y=True, fits=lines)


def said(found: Sequence[Timed]) -> list[str]:
    """Both sides in words, from the numbers."""
    graphs = [n for n in found if not n.stand_in]
    ratios = sorted(n.eager / n.device for n in graphs)
    above = sum(ratio > 1.5 for ratio in ratios)
    base = fit([n.observation for n in graphs], ("acts", "layers"))
    over = [
        (n.device / base.image_time_s(n.observation.terms, n.row.batch or 1), n) for n in graphs
    ]
    even = [n.bytes_per_s / 1e9 for n in graphs if width_look(n.width) != _WIDTHS["uneven"]]
    uneven = [n.bytes_per_s / 1e9 for n in graphs if width_look(n.width) == _WIDTHS["uneven"]]
    found_slow = sorted(((x, n) for x, n in over if x > SLOW), key=lambda pair: -pair[0])
    named = ", ".join(f"{n.row.arch} ({n.width} channels a group) {x:.2f}" for x, n in found_slow)
    middle = ratios[len(ratios) // 2]
    lines = [
        f"- **Why it holds.** Whatever the network, the device moves {_middle(even)} GB/s (nine in "
        "ten of those whose group widths are powers of two or below 8), while its multiply-adds a "
        f"second differ {_times(graphs)} times. A step's time is that of its bytes: these are "
        "activations.",
        f"- **What hides it.** Eager time is {middle:.2f} times device time in the median, up to "
        f"{ratios[-1]:.1f}; above 1.5 for {above} of {len(ratios)}: a step launches hundreds of "
        "small kernels, and the host needs longer to launch them than the device to run them. That "
        "is the host's time, not the network's.",
    ]
    if uneven:
        lines.append(
            "- **Where it breaks.** Grouped convs of a width that is no power of two: "
            f"{_middle(uneven)} GB/s. More than {SLOW} times what acts and layers say (a law fitted "
            f"to all of these): {named}."
        )
    lines += _other_side(graphs)
    return ["\n".join(lines), _NOT_TRIED]


_NOT_TRIED = (
    "Which kernels these networks spend their time in was not looked at: scripts/gpu/kernels.py says "
    "it on such a device. Whether group widths held to powers of two keep the accuracy was not tried."
)


def _middle(values: Sequence[float]) -> str:
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return f"{low:.0f} to {high:.0f}"


def _times(networks: Sequence[Timed]) -> str:
    speeds = [n.multiply_adds_per_s for n in networks]
    return f"{max(speeds) / min(speeds):.0f}"


def _other_side(graphs: Sequence[Timed]) -> list[str]:
    """Where dWr is slow for its acts, and pairs in which more flops take less time."""
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
            "- **The other side, within one family.** RegNetY-4GF at x2, acts and a step's time: "
            f"{each}. dWr has {fewer} of the {len(own)} below it in acts, and {slower} above it in "
            f"time: fast scaling is not fast there, for its group width became {fast.width}."
        )
    pairs = _pairs(graphs)
    if pairs:
        each = "; ".join(
            f"{a.row.arch} ({a.width} a group) {_step_ms(a):.0f} ms, "
            f"{b.row.arch} ({b.width}) {_step_ms(b):.0f} ms"
            for a, b in pairs
        )
        lines.append(f"- **Larger and faster**: {each}.")
    return lines


def _step_ms(n: Timed) -> float:
    return 1e3 * n.device * (n.row.batch or 1)


def _pairs(graphs: Sequence[Timed]) -> list[tuple[Timed, Timed]]:
    """Of a base and strategy: a network, and the next larger one that takes less time."""
    series: dict[tuple, list[Timed]] = {}
    for n in graphs:
        series.setdefault((n.row.base, n.row.strategy), []).append(n)
    found = []
    for own in series.values():
        ordered = sorted(own, key=lambda n: n.row.flops or 0)
        found += [(a, b) for a, b in pairwise(ordered) if b.device < a.device]
    return found
