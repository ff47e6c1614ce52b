"""Verdicts on claims: the paper's number, the number recomputed from published points, and ours.

Only our numbers decide, and CPU times decide nothing. A claim that we did not measure has the
verdict "not measured".
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
    needs: str = ""  # the measurements missing for a claim that was not measured


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """Every claim of every artifact: one verdict per device, or one that it was not measured."""
    found = []
    pictures = cache(lambda name: views(load_artifact(name), records))
    # the paper's artifacts first
    for name in sorted(list_artifacts(), key=lambda name: name.startswith("evidence-")):
        artifact = load_artifact(name)
        for claim in artifact.claims:
            value, networks = claim.measure.published(artifact) or (None, None)
            evidence = Evidence(artifact, records, pictures)
            ours: list[Ours | None] = [*claim.measure.ours(evidence)]
            for own in ours or [None]:
                verdict = judge(claim, value, own)
                needs = claim.measure.needs(evidence) if verdict in (UNMEASURED, ON_CPU) else ""
                found.append(Verdict(name, claim, value, networks, own, verdict, needs))
    return found


def judge(claim: Claim, recomputed: float | None, ours: Ours | None) -> str:
    """HOLDS, FAILS or UNDECIDED, or the reason that there is no verdict."""
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
    """The paper's number, else 0 for a margin or paired difference, else the recomputed number.

    Raises InputError if there is none.
    """
    found = claim.paper
    if found is None:
        found = 0.0 if claim.measure.from_zero else recomputed
    if found is None:
        raise InputError(
            f"claim {claim.id}: nothing to compare ours with: the paper prints no number, and none "
            "can be computed from published points"
        )
    return found
