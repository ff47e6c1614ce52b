"""A verdict per claim: the paper's number, the number computed again from published points, ours with its device, and whether it holds.

Only what is ours decides; a CPU's time decides nothing. Where nothing of ours was measured, the verdict says so.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from fastscale.errors import InputError
from fastscale.paper.artifacts import list_artifacts, load_artifact
from fastscale.paper.claims import Claim, Evidence, Ours, meets
from fastscale.paper.views import views
from fastscale.records import Record

HOLDS, FAILS, UNDECIDED, UNMEASURED = "holds", "does not hold", "undecided", "not measured"
ON_CPU = "not measured on an accelerator"
IN_OTHERS = ", in others' measurements"  # after a verdict


class Verdict(NamedTuple):
    """One claim on one device."""

    artifact: str
    claim: Claim
    recomputed: float | None
    networks: int | None  # behind the recomputed number
    ours: Ours | None
    verdict: str
    needs: str = ""  # of a claim that was not measured: what has to be


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Every claim of every artifact, one line for each device it was measured on, or one that says it was not."""
    found = []
    pictures = cache(lambda name: views(load_artifact(name), records))
    for name in sorted(
        list_artifacts(), key=lambda name: name.startswith("evidence-")
    ):  # the paper's own first
        artifact = load_artifact(name)
        for claim in artifact.claims:
            value, networks = claim.measure.published(artifact) or (None, None)
            evidence = Evidence(artifact, records, pictures)
            ours: list[Ours | None] = [*claim.measure.ours(evidence)]
            for own in ours or [None]:
                said = judge(claim, value, own)
                needs = claim.measure.needs(evidence) if said in (UNMEASURED, ON_CPU) else ""
                found.append(Verdict(name, claim, value, networks, own, said, needs))
    return found


def judge(claim: Claim, recomputed: float | None, ours: Ours | None) -> str:
    """holds, does not hold, or why there is no verdict."""
    if claim.measure.of_others and recomputed is not None:
        held = meets(claim, recomputed, target(claim, recomputed))
        return (HOLDS if held else FAILS) + IN_OTHERS
    if ours is None:
        return UNMEASURED
    if ours.on_cpu:
        return ON_CPU
    wanted = target(claim, recomputed)
    if ours.interval is None:
        both = [ours.value] if ours.without is None else [ours.value, ours.without]
        met = [meets(claim, value, wanted) for value in both]
        return HOLDS if all(met) else UNDECIDED if any(met) else FAILS
    low, high = ours.interval
    if meets(claim, low, wanted) and meets(claim, high, wanted):
        return HOLDS
    return UNDECIDED if meets(claim, min(max(wanted, low), high), wanted) else FAILS


def target(claim: Claim, recomputed: float | None) -> float:
    """What ours is held against: the number that the paper prints, else the one computed again; 0 for a margin or a paired difference."""
    found = claim.paper
    if found is None:
        found = 0.0 if claim.measure.from_zero else recomputed
    if found is None:
        raise InputError(
            f"claim {claim.id}: neither a number of the paper nor one that can be computed: nothing to hold ours against"
        )
    return found
