"""The tests of trained evidence: their results, and their power as stated before training."""

import math

from fastscale.paper.artifacts import Artifact
from fastscale.paper.equivalence import (
    ALPHA,
    HALF_OUTSIDE,
    POWER,
    TWO_ONE_SIDED,
    above,
    detectable,
    equivalent,
    shows_equivalence,
)
from fastscale.paper.paired import Trained, difference
from fastscale.paper.stats import LEVEL
from fastscale.paper.tables.table import Column, Table, interval

SHARES = (1.0, 0.5)  # of the spread of earlier runs, for which power is given


def tests_table(found: Trained, artifact: Artifact, spread: float) -> Table:
    """One row per claim, over all bases and for each; `spread`: of a pair's difference, points."""
    columns = [
        Column("difference_of", "error of", right=False),
        Column("minus", "minus that of", right=False),
        Column("bases", "bases", right=False),
        Column("tested", "tested", right=False),
        Column("planned_pairs", "planned pairs"),
    ]
    for share in SHARES:
        points = f"{spread * share:.2g}"
        columns.append(
            Column(f"shown_at_{points}", f"shown with {POWER:.0%} chance, spread {points}", _points)
        )
        columns.append(
            Column(f"equivalent_at_{points}", f"chance of equivalence, spread {points}", _chance)
        )
    columns += [
        Column("difference", "difference, points", interval, parts=("mean", "low", "high", "n")),
        Column("p", "p", lambda p: f"{p:.2g}"),
    ]
    rows = []
    for claim in artifact.claims:
        test = claim.measure.tested()
        if test is None:
            continue
        first, second, two_sided = test
        alpha = ALPHA if two_sided else HALF_OUTSIDE
        seeds = _pairs(found, first, second)
        for bases in dict.fromkeys([tuple(seeds), *((base,) for base in seeds)]):
            pairs = min(seeds[base] for base in bases)
            tested = f"within ±{claim.tolerance:g}" if two_sided else "above 0"
            row: list = [first, second, " and ".join(bases), tested, pairs * len(bases)]
            for share in SHARES:
                design = (spread * share, pairs, len(bases))
                row.append(_finite(detectable(*design, alpha)))
                row.append(
                    _finite(shows_equivalence(claim.tolerance, *design)) if two_sided else None
                )
            e = difference(found, first, second, bases)
            if e is None:
                row += [None, None]
            else:
                low, high = e.interval(TWO_ONE_SIDED)
                p = equivalent(e, claim.tolerance) if two_sided else above(e)
                row += [(e.mean, low, high, e.pairs), p]
            rows.append(row)
    tests = (
        f"Within a margin: two one-sided t tests, each at {ALPHA:.0%}. p is the larger of the two; "
        f"it is at most {ALPHA:g} exactly if the {TWO_ONE_SIDED:.0%} interval (in brackets, with "
        f"the number of pairs) lies within the margin. Above 0: one t test at {HALF_OUTSIDE:.1%}, "
        f"which matches the claim's {LEVEL:.0%} interval. Pairs share base and seed; the variance "
        f"within bases is pooled. Not adjusted for the number of tests."
    )
    power = (
        f"Stated before training: in earlier trainings of two epochs a pair's difference had a "
        f"standard deviation of {spread:.2g} points. Longer trainings should scatter less, so "
        f"power is also given for half of it: the true difference that the planned pairs show with "
        f"a chance of {POWER:.0%}, and a lower bound of the chance to show equivalence if there is "
        f"no difference."
    )
    return Table(
        f"{artifact.name}-tests", f"{artifact.title}: tests", columns, rows, [tests, power]
    )


def _pairs(found: Trained, first: str, second: str) -> dict[str, int]:
    """Planned pairs of each base that has networks of both strategies."""
    seeds: dict[str, set[int]] = {}
    for run in found.plan.runs():
        seeds.setdefault(run.arch, set()).add(run.seed)
    return {
        base: len(seeds[one.arch] & seeds[other.arch])
        for base in found.plan.bases
        for size in found.sizes
        if (one := found.cell(base, size, first)) and (other := found.cell(base, size, second))
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _points(value: float) -> str:
    return f"{value:.2f}"


def _chance(value: float) -> str:
    return f"{100 * value:.0f} %"
