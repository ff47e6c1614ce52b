"""A verdict per claim: the paper's number, the number computed again from published points, ours with its device, and whether it holds.

`measure` of a claim says how its number is computed:

    exponents: table-4                 exponents of a table that differ from the closed form
    growth: acts, strategy: dWr        mean exponent reached by rounded networks (the artifact's `growth`)
    within: published-counts           networks whose counts agree to one unit of the last digit printed; exact: zoo, to the unit
    correlation: acts, pool: fig-2     Pearson r of epoch time with the count (a panel of that figure)
    difference: error, of:, minus:     of two networks; ratio: time, of:, to: likewise, `to` several: the least of theirs
        points: [fig4], epochs: 100    the published ones; or expected: acts, their ratio for the same networks
    margin: [acts, flops], file:       by how much the first r of logs is above the second's, in one published file
    paired: dWr, minus: dwgr           mean paired difference of trained errors with its interval, which decides (see `paired`)
    exponents_off: acts                mean distance of the exponents of these networks' growth from the closed form
    time_correlation: acts             Pearson r of these networks' epoch time with the count

Only what is ours decides; a CPU's time decides nothing. Where nothing of ours was measured, the verdict says so.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from fastscale.errors import InputError
from fastscale.paper.accelerators import margin
from fastscale.paper.artifacts import Artifact, list_artifacts, load_artifact
from fastscale.paper.claim import Claim, meets
from fastscale.paper.growth import mean_exponent
from fastscale.paper.paired import Trained, comparisons, exponents_off, time_correlation, trained
from fastscale.paper.points import paper_points
from fastscale.paper.published import definitions, published_counts, within_one_unit, zoo_counts
from fastscale.paper.runtime import Pool, our_pools, published_pools
from fastscale.paper.theory import theory_table
from fastscale.paper.views import View, views
from fastscale.records import Record
from fastscale.records.frame import Row

HOLDS, FAILS, UNDECIDED, UNMEASURED = "holds", "does not hold", "undecided", "not measured"
ON_CPU = "not measured on an accelerator"
IN_OTHERS = ", in others' measurements"  # after a verdict


Pictures = Callable[[str], list[View]]  # an artifact's name -> the figure and its variants


class Ours(NamedTuple):
    """Our number, how many networks or runs it is made from, where it was measured, counted or derived, and its interval if it has one."""

    value: float
    n: int
    where: str
    on_cpu: bool = False
    interval: tuple[float, float] | None = None


class Verdict(NamedTuple):
    """One claim on one device."""

    artifact: str
    claim: Claim
    recomputed: float | None
    networks: int | None  # behind the recomputed number
    ours: Ours | None
    verdict: str


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Every claim of every artifact, one line for each device it was measured on, or one that says it was not."""
    found = []
    pictures = cache(lambda name: views(load_artifact(name), records))
    for name in sorted(
        list_artifacts(), key=lambda name: name.startswith("evidence-")
    ):  # the paper's own first
        artifact = load_artifact(name)
        for claim in artifact.claims:
            value, networks = published_value(claim, artifact) or (None, None)
            ours: list[Ours | None] = [*our_values(claim, artifact, pictures, records)]
            found += [
                Verdict(name, claim, value, networks, own, judge(claim, value, own))
                for own in ours or [None]
            ]
    return found


def judge(claim: Claim, recomputed: float | None, ours: Ours | None) -> str:
    """holds, does not hold, or why there is no verdict."""
    if "margin" in claim.measure and recomputed is not None:
        held = meets(claim, recomputed, target(claim, recomputed))
        return (HOLDS if held else FAILS) + IN_OTHERS
    if ours is None:
        return UNMEASURED
    if ours.on_cpu:
        return ON_CPU
    wanted = target(claim, recomputed)
    if ours.interval is None:
        return HOLDS if meets(claim, ours.value, wanted) else FAILS
    low, high = ours.interval
    if meets(claim, low, wanted) and meets(claim, high, wanted):
        return HOLDS
    return UNDECIDED if meets(claim, min(max(wanted, low), high), wanted) else FAILS


def target(claim: Claim, recomputed: float | None) -> float:
    """What ours is held against: the number that the paper prints, else the one computed again; 0 for a margin or a paired difference."""
    found = (
        claim.paper
        if claim.paper is not None
        else 0.0
        if {"margin", "paired"} & set(claim.measure)
        else recomputed
    )
    if found is None:
        raise InputError(
            f"claim {claim.id}: neither a number of the paper nor one that can be computed: nothing to hold ours against"
        )
    return found


def published_value(claim: Claim, artifact: Artifact) -> tuple[float, int] | None:
    """(the number computed again from published points, or from counts, from how many networks); None where neither is there."""
    m = claim.measure
    if "correlation" in m:
        pool = _pool(published_pools(_runtime(m["pool"])), claim)
        r = pool.r()
        return None if r is None else (r, len(pool.inside))
    if "margin" in m:
        return margin(m["file"], tuple(m["margin"]))
    if "points" in m:
        points = [p for p in paper_points(tuple(m["points"])) if p.epochs == m.get("epochs")]
        return _compared(m, points, whole=False)
    if "expected" in m:
        return _compared({**m, "ratio": m["expected"]}, views(artifact, [])[0].planned)
    return None


def our_values(
    claim: Claim,
    artifact: Artifact,
    pictures: Pictures,
    records: Sequence[Record],
) -> Iterator[Ours]:
    """Ours: one where it is counted or in closed form, otherwise one a device or training recipe with records enough."""
    m = claim.measure
    if "exponents" in m:
        table = theory_table(m["exponents"])
        yield Ours(sum(bool(row[-1]) for row in table.rows), 3 * len(table.rows), "closed form")
    elif "growth" in m:
        yield Ours(
            *mean_exponent(
                m["strategy"], m["growth"], artifact.growth["bases"], artifact.growth["factors"]
            ),
            "counted",
        )
    elif "within" in m:
        table = definitions() if m["within"] == "definitions" else published_counts()
        yield Ours(*within_one_unit(table), "counted")
    elif "exact" in m:
        table = zoo_counts()
        differences = [
            i for i, column in enumerate(table.columns) if column.key.endswith("_difference")
        ]
        yield Ours(
            sum(not any(row[i] for i in differences) for row in table.rows),
            len(table.rows),
            "counted",
        )
    elif "correlation" in m:
        figure = _runtime(m["pool"])
        for view in pictures(figure.name):
            if view.timed:
                pool = _pool(our_pools(figure, view.timed.points), claim)
                r = pool.r()
                if r is not None:
                    yield Ours(r, len(pool.inside), view.timed.words, view.on_cpu)
    elif "difference" in m or "ratio" in m:
        yield from _measured_pair(m, pictures(artifact.name))
    elif artifact.drawing.get("by") == "paired":
        yield from _of_trained(m, trained(artifact, records))


def _runtime(name: str) -> Artifact:
    figure = load_artifact(name)
    if figure.drawing.get("by") != "runtime":
        raise InputError(f"measure: pool: {name} is no figure of run time")
    return figure


def _pool(pools: dict[str, Pool], claim: Claim) -> Pool:
    wanted = claim.measure["correlation"]
    if wanted not in pools:
        raise InputError(f"claim {claim.id}: {claim.measure['pool']} has no panel of {wanted}")
    return pools[wanted]


def _of_trained(m: dict[str, Any], found: Trained) -> Iterator[Ours]:
    if "exponents_off" in m:
        yield Ours(*exponents_off(found, m["exponents_off"]), "counted")
    elif "time_correlation" in m:
        correlated = time_correlation(found, m["time_correlation"])
        if correlated is not None:
            yield Ours(*correlated, found.device, found.on_cpu)
    else:
        where = f"{found.plan.data}, recipe {found.plan.recipe}"
        for sizes, e in comparisons(found, m["paired"], m["minus"]):
            of = "" if len(sizes) == len(found.sizes) else f", about x{sizes[0]:g} the flops"
            yield Ours(e.mean, e.pairs, where + of, interval=(e.low, e.high))


def _measured_pair(m: dict[str, Any], pictures: Sequence[View]) -> Iterator[Ours]:
    what = m.get("difference") or m["ratio"]
    if what == "error":
        groups = [
            (v.trained.points, f"{v.trained.data}, {v.trained.words}", False)
            for v in pictures
            if v.trained and not v.timed and not v.foreign
        ]
    elif what == "time":
        groups = [(v.timed.points, v.timed.words, v.on_cpu) for v in pictures if v.timed]
    else:
        groups = [(pictures[0].planned, "counted", False)]
    for points, where, on_cpu in groups:
        found = _compared(m, points)
        if found is not None:
            runs = [p.runs for p in points if p.arch in (m["of"], *_others(m))]
            yield Ours(found[0], min(runs), where, on_cpu)


def _compared(
    m: dict[str, Any], points: Sequence[Row], whole: bool = True
) -> tuple[float, int] | None:
    """(the difference, or ratio, to the least of the others; how many networks). Not `whole`: of those others that are known."""
    what = m.get("difference") or m["ratio"]
    values = {p.arch: getattr(p, what) for p in points}
    first, others = values.get(m["of"]), [values.get(name) for name in _others(m)]
    known = [value for value in others if value is not None]
    if first is None or not known or (whole and len(known) < len(others)):
        return None
    return (first - min(known) if "difference" in m else first / min(known)), 1 + len(known)


def _others(m: dict[str, Any]) -> list[str]:
    names = m.get("minus") or m["to"]
    return [names] if isinstance(names, str) else names
