"""What stands beside a figure: what is left out for want of a record, and every point in numbers (paper, ours, difference)."""

from collections.abc import Sequence

from fastscale.paper.artifacts import Figure
from fastscale.paper.evidence import Group
from fastscale.paper.tables.table import Column, Table, fixed, runs_shown, scaled, signed
from fastscale.paper.views import View
from fastscale.records.frame import Row

_IN_WORDS = {"error": "error", "time": "epoch time"}


def statements(view: View) -> list[str]:
    """What has to be known before the picture is looked at: another device, another experiment."""
    said = []
    if view.timed is not None:
        said.append(f"**Times measured on one {view.timed.words}.**")
        if stood := sorted(view.timed.standing_in):
            said.append(f"Eager time stands in (black edge) for {', '.join(stood)}.")
    if view.foreign and view.trained is not None:
        said.append(
            f"**Errors measured on {view.trained.data}, {view.trained.words}: another experiment than the paper's.**"
        )
    return said


def recorded(artifact: Figure, pictures: Sequence[View]) -> str:
    """How many of the planned networks have a training and a timing record, or that none is needed."""
    plan = artifact.plan("full")
    if plan is None:
        return "Of published numbers alone."
    planned = {name.name for name in plan.names()}

    def share(group: Group | None) -> str:
        # a figure also shows networks of its series that it did not plan: they do not count
        known = {p.arch for p in group.points} & planned if group else ()
        return f"{len(known)} of {len(planned)}"

    said = []
    if plan.runs():
        said.append(f"trained {share(pictures[0].trained)}")
    if plan.timings:
        timed = [v.timed for v in pictures if v.timed]
        said += [f"timed on {group.words} {share(group)}" for group in timed] or [
            f"timed {share(None)}"
        ]
    return f"Records of ours: {'; '.join(said)}."


def caption(view: View, left_out: Sequence[str], errors: bool = True) -> str:
    """What the marks mean and what has no record; `errors`: whether the figure shows any."""
    found = []
    if any("digitised" in p.origin for p in view.published):
        found.append(
            "Published points were read off the paper's plots (error ±.03, time ±.07 min in Fig. 4 and 6)."
        )
    if any(p.counted for p in view.published):
        found.append(
            "Their params and acts are not published: where they are used, they are computed for the network so identified."
        )
    if any(p.epochs is not None for p in view.published):
        found.append(
            "Published points are printed in Xiao et al. 2021, Table 2: a later recipe of the same group."
        )
    if not view.published:
        found.append("The paper's own points of this figure are not known.")
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
            found.append(
                f"No {_IN_WORDS[measure]} of ours has a record for {of}: they are left out."
            )
        elif view.planned and missing:
            found.append(
                "Times of ours have a variant of this figure for each device; the published ones are those of 8 V100."
            )
    if left_out:
        found.append(f"Left out because nothing is known or recorded: {', '.join(left_out)}.")
    runs = {p.runs for p in view.trained.points} if view.trained else set()
    if runs:
        most = (
            "single runs"
            if runs == {1}
            else f"means of up to {max(runs)} runs, bars one standard deviation"
        )
        found.append(f"Our errors: averaged weights, {most}.")
    return " ".join(found)


def points_table(artifact: Figure, view: View, errors: bool = True) -> Table:
    """Every network of the figure: counts ours, published and our error and epoch time, and the differences."""
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
    note = "Counts are ours (one image, 1000 classes). A blank was not measured. Published times are those of 8 V100, ours of one device."
    return Table(
        view.name,
        artifact.title,
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        [note],
    )
