"""Plans among networks that are trained already: those with public ImageNet weights within budgets,
the lowest published error first. What is released here was trained on small data sets, so it takes
no part.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fastscale.archs import at_resolution
from fastscale.common import did_you_mean
from fastscale.errors import InputError
from fastscale.planning.candidate import Candidate, Conditions, candidate, costs
from fastscale.planning.search import Found
from fastscale.scaling import arch_named

if TYPE_CHECKING:
    from fastscale.release.importing.known import Known

AS_IT_IS = "as it is"


def candidates(
    wanted: Sequence[str],
    budgets: dict[str, float],
    conditions: Conditions,
    resolution: int | None = None,
) -> tuple[list[Candidate], dict[tuple[str, str], str], list[Found]]:
    """(networks within the budgets, the reasons of the others, the others). `wanted`: parts of their
    names or of the weights'; none: all. InputError where nothing has such a name."""
    made, missing, over = [], {}, []
    for known in _named(wanted):
        arch = arch_named(known.arch)
        arch = arch if resolution is None else at_resolution(arch, resolution)
        counted = conditions.count(arch)
        found = costs(arch, counted, budgets, conditions)
        load, binds = max(
            ((found[name] / limit, name) for name, limit in budgets.items()), default=(0.0, "")
        )
        at = Found(1.0, arch, counted, found, load, binds)
        if load > 1:
            missing[known.arch, "weights"] = f"over the budget of {binds}"
            over.append(at)
            continue
        own = candidate(arch, AS_IT_IS, at, conditions)
        made.append(replace(own, weights=known.name, error=known.top1_error))
    return sorted(made, key=lambda c: (c.far, c.error, c.counts.acts)), missing, over


def _named(wanted: Sequence[str]) -> "list[Known]":
    """The weights of the lowest published error of each network that has a wanted name."""
    from fastscale.release.importing.known import known_weights

    every = known_weights().values()
    best: dict[str, Known] = {}
    for known in sorted(every, key=lambda k: k.top1_error):
        if not wanted or any(word in known.name for word in wanted):
            best.setdefault(known.arch, known)
    if not best:
        archs = dict.fromkeys(known.arch for known in every)
        near = did_you_mean(wanted[0], archs, see="fastscale checkpoint list")
        raise InputError(f"no public weights have {' or '.join(wanted)} in their name; {near}")
    return list(best.values())
