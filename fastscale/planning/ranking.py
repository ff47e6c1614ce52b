"""The order of recommendation, and which candidates no other beats."""

from collections.abc import Sequence
from dataclasses import replace

from fastscale.planning.answer import EQUAL, twin_of
from fastscale.planning.candidate import Candidate
from fastscale.planning.evidence import published_error


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates, best supported first.

    Equally supported ones are ordered by family: the lowest published error at that size if all
    families have one, else the most flops. Within a family: the most flops, and if these are equal
    (within 5 %) the fewest acts, which by the paper's finding is the fastest.
    """
    judged = [replace(c, gains=_gains(c, candidates)) for c in candidates]
    families = [
        _of_one_family([c for c in judged if c.arch.family == family])
        for family in dict.fromkeys(c.arch.family for c in judged)
    ]
    errors = [published_error(own[0].arch.family, own[0].counts.flops) for own in families]
    order = {
        own[0].arch.family: error if all(errors) else -own[0].counts.flops
        for own, error in zip(families, errors, strict=True)
    }
    every = [c for own in families for c in own]
    return sorted(every, key=lambda c: (c.standing, order[c.arch.family]))


def _gains(c: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether power-of-two group widths afford clearly more flops than the paper's rounding.

    True for all other candidates.
    """
    twin = twin_of(c, candidates) or c
    return twin is c or c.counts.flops > EQUAL * twin.counts.flops


def _of_one_family(candidates: Sequence[Candidate]) -> list[Candidate]:
    left = sorted(candidates, key=lambda c: (c.standing, -c.counts.flops))
    found: list[Candidate] = []
    while left:
        first = left[0]
        equal = [
            c
            for c in left
            if c.standing == first.standing and c.counts.flops * EQUAL >= first.counts.flops
        ]
        found += sorted(equal, key=lambda c: c.counts.acts)
        left = left[len(equal) :]
    return found


def marked(candidates: Sequence[Candidate], budgets: dict[str, float]) -> tuple[Candidate, ...]:
    """The candidates with `pareto` set."""
    prices = [_compared(c, budgets) for c in candidates]

    def beaten(i: int) -> bool:
        """Whether another is better supported, or equally and better at no higher cost.

        Better means more flops within a family, or a lower error if both are trained.
        """
        flops = candidates[i].counts.flops
        if candidates[i].standing > min(c.standing for c in candidates):
            return True
        for j, other in enumerate(prices):
            if candidates[j].standing != candidates[i].standing:
                continue
            trained_both = candidates[i].error is not None and candidates[j].error is not None
            if candidates[j].arch.family != candidates[i].arch.family and not trained_both:
                continue
            no_dearer = all(a <= b * EQUAL for a, b in zip(other, prices[i], strict=True))
            better = j < i if trained_both else candidates[j].counts.flops > flops
            if j != i and better and no_dearer:
                return True
        return False

    return tuple(replace(c, pareto=not beaten(i)) for i, c in enumerate(candidates))


def _compared(c: Candidate, budgets: dict[str, float]) -> tuple[float, ...]:
    """A network's costs without flops: predicted times and other budgets; without any, its acts."""
    times = [p.image_time_s for p in (c.training, c.inference) if p is not None]
    others = [getattr(c.counts, name) for name in ("params", "acts") if name in budgets]
    others += [
        getattr(c, name) for name in ("memory_mib", "inference_memory_mib") if name in budgets
    ]
    return tuple(times + others) or (c.counts.acts,)
