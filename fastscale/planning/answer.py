"""A plan's answer: the recommended network, why, how sure that is, and why not the others.

Also the commands that train, check and export it.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastscale.planning.evidence import AS_ACCURATE, TOGETHER, grown, of_strategy, published_error
from fastscale.scaling.strategy import POW2

if TYPE_CHECKING:
    from fastscale.planning.candidate import Candidate
    from fastscale.planning.plan import Plan

EQUAL = 1.05  # costs within 5 % count as equal: no law predicts better than that


@dataclass(frozen=True)
class Answer:
    """The recommendation and its reasons.

    `verdict`: "recommended", "unsure" (something is outside the measured range) or "none" (far
    outside: nothing is recommended). `others`: names of candidates and the reason they share.
    """

    network: str
    verdict: str
    why: str
    others: tuple[tuple[tuple[str, ...], str], ...]


def answer(plan: "Plan") -> Answer:
    """The answer to a plan under budgets."""
    best = plan.best
    verdict = "none" if best.far else "unsure" if best.beyond > 1 else "recommended"
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for other in plan.candidates[1:]:
        before, number, after = _reason(other, plan)
        reasons.setdefault((before, after), []).append((other.arch.name, number))
    others = tuple(
        (
            tuple(name for name, _ in found),
            before + ", ".join(dict.fromkeys(number for _, number in found)) + after,
        )
        for (before, after), found in reasons.items()
    )
    return Answer(best.arch.name, verdict, _why(plan), others)


def commands(
    plan: "Plan", recipe: str, own: str = "", data: str | None = None, by_size: bool = True
) -> tuple[str, str, str]:
    """The commands that train, check and export the first candidate.

    `own`: options that register the user's networks. `data`: the source to train on.
    `by_size`: `recipe` is the one that `fit` chooses for that source.
    """
    run = plan.best.run(recipe)
    what = plan.best.arch.name if data and by_size else f"--run {run}"
    start = f" --weights {plan.best.weights}" if plan.best.weights else ""
    start += f" --data.source {shlex.quote(data)}" if data else ""
    return (
        f"fastscale fit {what}{start}{own}",
        f"fastscale evaluate runs/{run}/seed0",
        f"fastscale export runs/{run}/seed0 {plan.best.arch.name}.onnx",
    )


def _why(plan: "Plan") -> str:
    best = plan.best
    if best.far:
        return f"{_outside(best)} outside the measured range"
    if best.weights:
        beyond = f"; but it is {_outside(best)} outside the measured range" * (best.beyond > 1)
        return (
            f"with the weights {best.weights}, of {best.error:.1f} % top-1 error on "
            f"{best.trained_on}, the lowest of {len(plan.candidates)} within the budget{beyond}"
        )
    reasons = []
    if grown(best.strategy) == TOGETHER:
        reasons.append(f"depth, width and resolution grow together: {AS_ACCURATE}")
    else:
        reasons.append(of_strategy(best.strategy))
    if best.strategy.endswith(POW2):
        twin = twin_of(best, plan.candidates)
        gain = f", {_ratio(best, twin)} times the multiply-adds of {twin.arch.name}" if twin else ""
        reasons.append(
            f"its group widths are powers of two, which its law says are fast on "
            f"{_device(plan)}{gain}; their effect on the error has not been measured"
        )
    error = published_error(best.arch.family, best.counts.flops)
    if len({c.arch.family for c in plan.candidates}) > 1 and error is not None:
        reasons.append(
            f"{best.arch.family}s of its size have {error:.1f} % published error after 100 epochs"
        )
    if best.beyond > 1:
        reasons.append(f"but it is {_outside(best)} outside the measured range")
    return "; ".join(reasons)


def _reason(c: "Candidate", plan: "Plan") -> tuple[str, str, str]:
    """(text, the candidate's number or "", text): why it is not the first."""
    best = plan.best
    if c.far:
        return "outside the measured range, ", f"{c.beyond:.3g} x", ": unreliable"
    if c.weights and c.error is not None:
        return "higher error: ", f"{c.error:.1f}", " %"
    if c.rank != best.rank:
        start = of_strategy(c.strategy)
        if max(c.counts.flops, best.counts.flops) <= EQUAL * min(c.counts.flops, best.counts.flops):
            return start, "", ""
        return f"{start} (", f"{_ratio(c, best)} times", " its multiply-adds within the budget)"
    if c.arch.family != best.arch.family:
        return _other_family(c, best)
    twins = c.base == best.base and _stem(c) == _stem(best)
    if twins and not c.strategy.endswith(POW2):
        widths = ", ".join(f"{g}" for g in dict.fromkeys(c.arch.group_widths) if g & (g - 1))
        slow = f"{widths} channels a group are slow on {_device(plan)}: "
        return slow, f"{_ratio(c, best)} times", " its multiply-adds within the budget"
    if c.strategy.endswith(POW2) and (twin := twin_of(c, plan.candidates)):
        start = "power-of-two group widths gain nothing here: "
        return start, f"{_ratio(c, twin)} times", f" the multiply-adds of {twin.arch.name}"
    if c.counts.flops * EQUAL < best.counts.flops:
        start = "as accurate at equal multiply-adds, but "
        return start, f"{_ratio(c, best)} times", " as many within the budget"
    more = f"{_ratio(c, best, lambda x: x.counts.acts)} times"
    return "as accurate, about as many multiply-adds, but ", more, " the acts"


def _other_family(c: "Candidate", best: "Candidate") -> tuple[str, str, str]:
    error, other = (published_error(x.arch.family, x.counts.flops) for x in (c, best))
    if error is None or other is None:
        unknown = c.arch.family if error is None else best.arch.family
        start = f"another family, and no published error of {unknown}s of this size: "
        return start, f"{_ratio(c, best)} times", f" the multiply-adds of {best.arch.name}"
    start = f"{c.arch.family}s of its size have "
    end = f" % published error after 100 epochs, {best.arch.family}s {other:.1f} %"
    return start, f"{error:.1f}", end


def _outside(c: "Candidate") -> str:
    """How far outside the measured range, and in what."""
    named = [p.outside for p in (c.training, c.inference) if p is not None]
    names = sorted({name for outside in named for name in outside}) or ["factor"]
    return f"{c.beyond:.3g} x ({', '.join(names).replace('_', ' ')})"


def _stem(c: "Candidate") -> str:
    return c.strategy.removesuffix(POW2)


def twin_of(c: "Candidate", candidates: "Sequence[Candidate]") -> "Candidate | None":
    """The candidate of the same strategy with the paper's rounding of group widths."""
    return next((x for x in candidates if (x.base, x.strategy) == (c.base, _stem(c))), None)


def _device(plan: "Plan") -> str:
    found = plan.conditions.training or plan.conditions.inference
    return found.name if found else "GPUs"


def _ratio(
    a: "Candidate",
    b: "Candidate",
    of: "Callable[[Candidate], float]" = lambda c: c.counts.flops,
) -> str:
    return f"{of(a) / of(b):.2f}"
