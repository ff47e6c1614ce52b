"""Only comparable measurements are compared.

Sizes are not pooled over a change of sign, a seed counts once, runs that ended early are left out,
and only planned networks are counted.
"""

from dataclasses import replace

import pytest

from fastscale.paper import load_artifact
from fastscale.paper.evidence import groups
from fastscale.paper.figures.runtime import our_pools, runtime_chart
from fastscale.paper.paired import by_size, comparisons
from fastscale.paper.report.ours import record_points
from fastscale.paper.selection import select
from fastscale.paper.tables.paired import amount, differences_table, unequal
from fastscale.paper.verdicts import verdicts
from fastscale.paper.views import views
from fastscale.records.committed import facts

EVIDENCE = "evidence-cifar10"


def trained(artifact, records):
    return artifact.drawing.trained(artifact, records)


@pytest.fixture(scope="module")
def committed():
    return facts()


@pytest.fixture(scope="module")
def found(committed):
    return trained(load_artifact(EVIDENCE), committed)


def test_a_change_of_sign_between_sizes_is_shown(found):
    for strategy in ("wg", "dw", "alpha=2/3", "dWr"):
        each = comparisons(found, strategy, "dwgr")
        assert [sizes for sizes, _ in each] == [(2.0,), (4.0,)]
        assert each[0][1].mean < 0 < each[1][1].mean
    for strategy in ("d", "r"):
        ((sizes, together),) = comparisons(found, strategy, "dwgr")
        assert sizes == (2.0, 4.0) and together.pairs == 12
        assert len(by_size(found, strategy, "dwgr")) == 2


def test_no_row_of_the_table_hides_it_and_the_notes_give_the_flops(found):
    table = differences_table(found, load_artifact(EVIDENCE), "dwgr")
    pooled = {row[0] for row in table.rows if row[1:3] == ["all", "all"]}
    assert pooled == {"d", "r"}
    row = next(r for r in table.rows if r[:3] == ["r", "regnety-micro", "x2"])
    assert [round(growth, 2) for growth in row[3:5]] == [2.23, 1.56]
    text = unequal(found, "dwgr")
    assert "x1.56 to x2.23 (x1.56 and x1.86)" in text and "equal flops" in table.notes[0]


def test_claims_are_judged_at_each_size_where_the_sign_changes(committed):
    own = [v for v in verdicts(committed) if v.claim.id == "evidence-cifar10-width-is-worse"]
    assert [v.verdict for v in own] == ["does not hold", "undecided"]
    assert [v.ours.where.rpartition(", ")[2] for v in own] == [
        "about x2 the flops",
        "about x4 the flops",
    ]


def test_the_note_on_hours_tells_whether_they_include_validation(found):
    assert "with the validation after each epoch" in amount(found)
    newer = [replace(r, env=r.env | {"clock": "training batches"}) for r in found.records]
    assert "training batches alone" in amount(replace(found, records=tuple(newer)))


def test_only_planned_networks_are_counted(committed):
    figure = load_artifact("fig-1")
    text = figure.drawing.recorded(figure, committed)
    assert "10 of 17" in text and "12 of 17" not in text, "d-x11 and r-x11 are not planned"


def test_a_seed_counts_once(measured):
    once = measured("fig-6", seeds=(0, 1), timed=False)
    again = [replace(r, env=r.env | {"date": "2021-01-01T00:00:00Z", "threads": 9}) for r in once]
    for records in (once, [*once, *once]):
        (group,) = groups(records, load_artifact("fig-6"))
        assert {p.runs for p in group.points} == {2}
    rerun = [replace(r, env=r.env | {"date": "2021-01-01T00:00:00Z"}) for r in once]
    assert {p.n for p in record_points([*once, *rerun])} == {2}
    (group,) = groups([*once, *again], load_artifact("fig-6"))
    assert {p.runs for p in group.points} == {2}


def test_runs_that_ended_early_stay_out(measured, synthetic_records):
    def early(r):
        return replace(r, env=r.env | {"finished": "early"}) if r.kind == "train" else r

    figure = load_artifact("fig-6")
    assert groups([early(r) for r in measured("fig-6", seeds=(0,), timed=False)], figure) == []
    quick = [early(r) for r in synthetic_records()]
    assert {r.kind for r in select(quick, load_artifact("quick"))} == {"time"}
    assert {p.n for p in record_points(quick)} == {1}  # the timings alone
    evidence = load_artifact(EVIDENCE)
    assert trained(evidence, [early(r) for r in facts()]).records == ()


def test_ours_and_the_papers_points_share_the_papers_axis(measured):
    artifact = load_artifact("fig-2")
    gpu = {"device": "made-up accelerator", "device_type": "cuda"}
    paper, ours = views(artifact, measured("fig-2", **gpu))
    pools = our_pools(artifact, ours.timed.points)
    for view in (paper, ours):
        assert runtime_chart(pools, "acts", view, pools, {}, False).right == 140
    assert "not flops" not in artifact.title
