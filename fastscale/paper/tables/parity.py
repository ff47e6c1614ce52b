"""Time of our networks over that of the same networks in other projects' code.

From the committed records of scripts/compare_timm.py.
"""

from collections.abc import Sequence

from fastscale.paper.tables.table import Column, Table
from fastscale.records import Record


def parity_table(records: Sequence[Record]) -> Table:
    """One row per network, project, setting and device; below 1 ours is faster."""
    columns = [
        Column("arch", "network", right=False),
        Column("against", "against", right=False),
        Column("setting", "setting", right=False),
        Column(
            "step_time_ratio", "training step, ours / theirs", _ratio, parts=("median", "spread")
        ),
        Column(
            "inference_time_ratio", "inference, ours / theirs", _ratio, parts=("median", "spread")
        ),
        Column("same_params", "same params", lambda same: "yes" if same else "no", right=False),
        Column("batch", "batch"),
        Column("precision", "precision", right=False),
        Column("layouts", "layout, ours / theirs", right=False),
        Column("device", "device", right=False),
    ]
    rows = []
    for r in sorted(
        (r for r in records if "theirs_step_time_s" in r.values),
        key=lambda r: (r.env["device"], r.arch, r.run),
    ):
        ratios = [
            (r.values[f"{what}_time_ratio"], r.values[f"{what}_time_ratio_spread"])
            for what in ("step", "inference")
        ]
        theirs = r.env["layout"] if r.env["their_layout"] == "auto" else r.env["their_layout"]
        row = [
            r.arch,
            r.env["against"],
            r.env["setting"],
            *ratios,
            r.env["same_params"],
            r.env["batch"],
            r.env["precision"],
        ]
        rows.append([*row, f"{r.env['layout']} / {theirs}", r.env["device"]])
    return Table(
        "parity",
        "Time of our networks over that of the same networks in other projects",
        columns,
        rows,
        [_NOTE],
    )


def _ratio(value: tuple[float, float]) -> str:
    ratio, spread = value
    return f"{ratio:.2f} ± {spread:.2f}"


_NOTE = (
    "Medians over interleaved rounds, ± the sum of both spreads (half the interquartile range). "
    "Below 1 ours is faster. equal: the same layout and optimizer settings. defaults: ours as the "
    "recipe sets them, theirs as a user finds them (contiguous, torch.optim.SGD with its "
    "defaults). If params are not the same, the other network differs slightly."
)
