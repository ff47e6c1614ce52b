"""The tables of the page `device-time`: r by clock and count, the law's errors, all networks."""

import math
from collections.abc import Sequence

from fastscale.paper.device_time import Timed, r
from fastscale.paper.stats import pearson
from fastscale.paper.tables.table import COUNT_HEADERS, COUNT_KEYS, Column, Table, fixed, scaled
from fastscale.planning.law import POOL, SELECTED
from fastscale.planning.validate import folds, left_out, median_error

COUNTS = ("acts", "flops", "params")


def bases_of(networks: Sequence[Timed]) -> dict[str, list[Timed]]:
    """The networks of each base that has three or more, then all of them."""
    found: dict[str, list[Timed]] = {}
    for network in networks:
        found.setdefault(network.row.base or "", []).append(network)
    return {b: own for b, own in found.items() if len(own) > 2} | {"all": [*networks]}


def r_table(networks: Sequence[Timed], name: str) -> Table:
    """One row per base, then all: r of device time, of eager time, and of device time of graphs."""
    kinds = {
        "device": "device time",
        "eager": "eager time",
        "graphs": "device time, no stand-ins",
    }
    columns = [Column("base", "networks of", right=False), Column("networks", "n")]
    columns += [
        Column(f"r_{kind}_{COUNT_KEYS[count]}", f"{label}: {COUNT_HEADERS[count]}", fixed(3))
        for kind, label in kinds.items()
        for count in COUNTS
    ]
    columns.insert(2 + 2 * len(COUNTS), Column("graphs", "n without stand-ins"))
    rows = []
    for base, own in bases_of(networks).items():
        graphs = [n for n in own if not n.stand_in]
        both = [r(own, count, clock) for clock in ("device", "eager") for count in COUNTS]
        alone = [r(graphs, count, "device") for count in COUNTS]
        rows.append([base, len(own), *both, len(graphs), *alone])
    note = (
        "Pearson r of time per image with each count, linear. Device time: the training step "
        "replayed as one CUDA graph; if none was captured, eager time stands in."
    )
    graphs = [n for n in networks if not n.stand_in]
    logs = ", ".join(f"{COUNT_HEADERS[count]} {_log_r(graphs, count):.3f}" for count in COUNTS)
    notes = [note, f"r of logarithms, over the {len(graphs)} without stand-ins: {logs}."]
    return Table(name, "Pearson r of device time and of eager time", columns, rows, notes)


def _log_r(networks: Sequence[Timed], count: str) -> float:
    xs = [math.log(getattr(n.row, count)) for n in networks]
    return pearson(xs, [math.log(n.device) for n in networks]) or 0.0


def law_table(networks: Sequence[Timed], name: str) -> Table:
    """The law of selected terms, validated with each family and each strategy left out."""
    columns = [
        Column("left_out", "left out", right=False),
        Column("networks", "networks"),
        Column("terms", "terms chosen without it", right=False),
        Column("median_error", "median error, %", scaled(0.01, 1)),
        Column("error_of_nine_in_ten", "90th percentile, %", scaled(0.01, 1)),
        Column("interval", "interval made without it, a factor of", fixed(2)),
        Column("held", "networks in it, %", scaled(0.01, 0)),
    ]
    observations = [n.observation for n in networks if not n.stand_in]
    found = folds(observations, "family")
    each = [log for fold in found for log in fold.logs]
    rows = [
        [f.left_out, len(f.logs), ", ".join(f.terms), *_errors(f.logs), *_held([f])] for f in found
    ]
    if found:
        rows.append(["each family in turn", len(each), None, *_errors(each), None, _held(found)[1]])
    if logs := left_out(observations, SELECTED, "strategy"):
        rows.append(["each strategy in turn", len(logs), None, *_errors(logs), None, None])
    notes = [
        "Device time per image is a sum of terms with non-negative coefficients. The terms, the "
        "coefficients and the interval (from leaving bases out) are found without the networks "
        f"they are tested on. Candidate terms: {', '.join(POOL)}.",
        "The candidates were written down after every family had been seen. Only a new family, or "
        "networks that are not here, can tell how much that flatters the errors.",
        "uneven: grouped convs of more than 8 channels per group, not a power of two (their acts, "
        "or their acts divided by the width: a group costs, not a channel); thin: 2 to 7 channels.",
    ]
    title = "The law of device time, tested on networks that were left out"
    return Table(name, title, columns, rows, notes)


def _errors(logs: Sequence[float]) -> list[float | None]:
    ordered = sorted(abs(math.expm1(log)) for log in logs)
    median = median_error(logs)
    # another machine's last bits must not change the table
    return [median and round(median, 4), round(ordered[math.ceil(0.9 * len(ordered)) - 1], 4)]


def _held(found: Sequence) -> list[float | None]:
    inside = sum(fold.held for fold in found) / sum(len(fold.logs) for fold in found)
    interval = found[0].interval
    return [None if interval is None else round(math.exp(interval), 3), round(inside, 4)]


def networks_table(networks: Sequence[Timed], name: str) -> Table:
    """One row per network."""
    columns = [
        Column("arch", "network", right=False),
        Column("batch", "batch", lambda value: f"{value:g}"),
        Column("flops_multiply_adds", "flops, B (multiply-adds)", scaled(1e9, 3)),
        Column("params", "params, M", scaled(1e6, 2)),
        Column("acts", "acts, M", scaled(1e6, 2)),
        Column("group_width", "channels per group"),
        Column("device_step_time_s", "device time of a step, ms", scaled(1e-3, 2)),
        Column("eager_step_time_s", "eager time, ms", scaled(1e-3, 2)),
        Column("eager_ratio", "eager / device", fixed(2)),
        Column("s_an_act", "ps per activation", scaled(1e-12, 1)),
        Column("bytes_per_s", "GB/s (at least)", scaled(1e9, 0)),
        Column("multiply_adds_per_s", "T multiply-adds/s", scaled(1e12, 1)),
    ]
    rows: list[list] = []
    for n in sorted(networks, key=lambda n: (n.row.base or "", n.row.acts or 0)):
        batch = n.row.batch or 1
        device = None if n.stand_in else n.device * batch
        own = [n.row.arch, batch, n.row.flops, n.row.params, n.row.acts, n.width]
        ratio = None if n.stand_in else n.eager / n.device
        rows.append([*own, device, n.eager * batch, ratio, n.per_act])
        rows[-1] += [n.bytes_per_s, n.multiply_adds_per_s]
    notes = [
        "If no graph was captured, device time is blank and the last three columns use eager time. "
        "Channels per group: the largest of the grouped convs; 1 is depthwise.",
        "GB/s: the least bytes that convs and batch norms move if all else is fused into them "
        "(fastscale/counts/traffic.py), divided by the time. Multiply-adds of a step are three "
        "times those of a forward pass.",
    ]
    return Table(name, "All networks", columns, rows, notes)
