"""Plans among trained networks: public ImageNet weights within budgets, lowest error first.

Weights released here were trained on small data sets; they are used only if no public weights have
the wanted name.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from fastscale.archs import at_resolution
from fastscale.common import did_you_mean
from fastscale.errors import InputError
from fastscale.planning.candidate import BUDGETS, Candidate, Conditions, candidate, costs
from fastscale.planning.search import Found
from fastscale.scaling import arch_named

AS_IT_IS = "as it is"


class Weights(NamedTuple):
    """Trained weights: their name, their network and its top-1 error (%) on `data`."""

    name: str
    arch: str
    error: float
    data: str = "ImageNet"


def candidates(
    wanted: Sequence[str],
    budgets: dict[str, float],
    conditions: Conditions,
    resolution: int | None = None,
) -> tuple[list[Candidate], dict[tuple[str, str], str], list[Found]]:
    """(networks within the budgets, why the others are not, the others).

    `wanted`: parts of the weights' names (default: all public weights). InputError if no name
    contains one.
    """
    made, missing, over = [], {}, []
    for weights in _named(wanted):
        arch = arch_named(weights.arch)
        arch = arch if resolution is None else at_resolution(arch, resolution)
        counted = conditions.count(arch)
        found = costs(arch, counted, budgets, conditions)
        load, binds = max(
            ((found[name] / limit, name) for name, limit in budgets.items()), default=(0.0, "")
        )
        at = Found(1.0, arch, counted, found, load, binds)
        if load > 1:
            missing[weights.arch, "weights"] = f"over the budget of {BUDGETS[binds][0]}"
            over.append(at)
            continue
        untrained = candidate(arch, AS_IT_IS, at, conditions)
        made.append(
            replace(untrained, weights=weights.name, error=weights.error, trained_on=weights.data)
        )
    return sorted(made, key=lambda c: (c.far, c.error, c.counts.acts)), missing, over


def _named(wanted: Sequence[str]) -> list[Weights]:
    """For each network with a wanted name, its weights of lowest error."""
    every = _public()
    found = _best(every, wanted) or _best(_released(), wanted)
    if not found:
        archs = dict.fromkeys(weights.arch for weights in every)
        near = did_you_mean(wanted[0], archs, see="fastscale checkpoint list")
        raise InputError(
            f"no public or released weights have {' or '.join(wanted)} in their name; {near}"
        )
    return found


def _best(every: Sequence[Weights], wanted: Sequence[str]) -> list[Weights]:
    best: dict[str, Weights] = {}
    for weights in sorted(every, key=lambda w: w.error):
        if not wanted or any(word in weights.name for word in wanted):
            best.setdefault(weights.arch, weights)
    return list(best.values())


def _public() -> list[Weights]:
    """Public weights; offline (FASTSCALE_OFFLINE), only those in Python packages."""
    from fastscale.data.paths import offline
    from fastscale.release.public import known_weights, packaged

    found = packaged() if offline() else known_weights().values()
    return [Weights(known.name, known.arch, known.top1_error) for known in found]


def _released() -> list[Weights]:
    from fastscale.release import places

    return [
        Weights(entry.name.rpartition("-")[0], entry.arch, error["value"], entry.data)
        for entry in places.released()
        if (error := entry.errors.get("top1_error"))
    ]
