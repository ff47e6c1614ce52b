"""The text beside a figure: statements, caption, and the table of its points."""

from collections.abc import Sequence

from fastscale.paper.artifacts import Figure
from fastscale.paper.evidence import Group
from fastscale.paper.tables.table import Column, Table, fixed, runs_shown, scaled, signed
from fastscale.paper.views import View
from fastscale.records.frame import Row

_LABELS = {"error": "error", "time": "epoch time"}


def statements(view: View) -> list[str]:
    """What a reader must know before the picture: another device, or another experiment."""
    parts = []
    if view.timed is not None:
        parts.append(f"**Times measured on one {view.timed.label}.**")
        if networks := sorted(view.timed.standing_in):
            parts.append(f"Eager time stands in (black edge) for {', '.join(networks)}.")
    if view.foreign and view.trained is not None:
        where = f"{view.trained.data}, {view.trained.label}"
        parts.append(f"**Errors measured on {where}: not the paper's experiment.**")
    return parts


def recorded(artifact: Figure, pictures: Sequence[View]) -> str:
    """One sentence on how many of the planned networks have training and timing records."""
    plan = artifact.plan("full")
    if plan is None:
        return "From published numbers only."
    planned = {name.name for name in plan.names()}

    def share(group: Group | None) -> str:
        # a figure also shows unplanned networks of its series, which do not count
        known = {p.arch for p in group.points} & planned if group else ()
        return f"{len(known)} of {len(planned)}"

    parts = []
    if plan.runs():
        parts.append(f"trained {share(pictures[0].trained)}")
    if plan.timings:
        timed = [v.timed for v in pictures if v.timed]
        parts += [f"timed on {group.label} {share(group)}" for group in timed] or [
            f"timed {share(None)}"
        ]
    return f"Our records: {'; '.join(parts)}."


def caption(view: View, left_out: Sequence[str], errors: bool = True) -> str:
    """What the marks mean and what has no record; `errors`: whether the figure shows errors."""
    found = []
    if any("digitised" in p.origin for p in view.published):
        found.append(
            "Published points were read off the paper's plots "
            "(error ±.03, time ±.07 min in Fig. 4 and 6)."
        )
    if any(p.counted for p in view.published):
        found.append(
            "Their params and acts are not published; where used, they are computed for the "
            "network identified."
        )
    if any(p.epochs is not None for p in view.published):
        found.append(
            "Published points are from Xiao et al. 2021, Table 2: a later recipe of the same group."
        )
    if not view.published:
        found.append("The paper's points of this figure are not known.")
    for measure, group in (("error", view.trained), ("time", view.timed)):
        missing = [
            p.arch
            for p in view.planned
            if group is None or p.arch not in {q.arch for q in group.points}
        ]
        of = f"{len(missing)} of {len(view.planned)} planned networks"
        if measure == "error" and not errors:
            continue
        if view.planned and missing and not (measure == "time" and group is None):
            found.append(f"We have no {_LABELS[measure]} for {of}: they are left out.")
        elif view.planned and missing:
            found.append(
                "Our times are in a variant of this figure for each device; published times are "
                "of 8 V100."
            )
    if left_out:
        found.append(f"Left out, with nothing published or recorded: {', '.join(left_out)}.")
    runs = {p.runs for p in view.trained.points} if view.trained else set()
    if runs:
        many = f"means of up to {max(runs)} runs, bars one standard deviation"
        found.append(f"Our errors: averaged weights, {'single runs' if runs == {1} else many}.")
    return " ".join(found)


def points_table(artifact: Figure, view: View, errors: bool = True) -> Table:
    """Every network of the figure: our counts, errors and epoch times, published and ours."""
    columns = [
        Column("arch", "network", right=False),
        Column("flops_multiply_adds", "flops, B (multiply-adds)", scaled(1e9, 3)),
        Column("params", "params, M", scaled(1e6, 2)),
        Column("acts", "acts, M", scaled(1e6, 2)),
        Column("top1_error_paper", "top-1 error published, %", fixed(2)),
        Column("top1_error", "top-1 error ours, %", runs_shown(2), parts=("mean", "std", "n")),
        Column("top1_error_difference", "error, difference", signed(2)),
        Column("epoch_time_min_paper", "epoch time published, min", fixed(2)),
        Column("epoch_time_min", "epoch time ours, min", fixed(2)),
        Column("epoch_time_ratio", "time, ours / published", fixed(2)),
    ]
    ours = {p.arch: p for p in view.planned}
    trained = {p.arch: p for p in view.our_values("error")}
    times = {p.arch: p for p in view.our_values("time")}
    published: dict[str | None, Row] = {}
    for p in view.published:
        published.setdefault(p.arch, p)
    rows = []
    for arch in dict.fromkeys([*ours, *published]):
        there, here = published.get(arch), ours.get(arch) or published[arch]
        error, time = trained.get(arch), times.get(arch)
        theirs = there.error if there and not view.foreign else None
        minutes = there.time if there else None
        row: list = [arch, here.flops, here.params, here.acts, theirs]
        row += [(error.error, error.error_spread, error.runs) if error else None]
        row += [
            error.error - theirs
            if error and error.error is not None and theirs is not None
            else None
        ]
        row += [
            minutes,
            time.time if time else None,
            time.time / minutes if time and time.time and minutes else None,
        ]
        rows.append(row)
    kept = [i for i in range(len(columns)) if i < 4 or any(row[i] is not None for row in rows)]
    if not errors:
        kept = [i for i in kept if "error" not in columns[i].key]
    note = (
        "Counts are ours (one image, 1000 classes). Unmeasured cells are blank. Published times "
        "are of 8 V100, ours of one device."
    )
    return Table(
        view.name,
        artifact.title,
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        [note],
    )
