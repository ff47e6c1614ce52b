"""The planner: under budgets, for each base and strategy the largest network that fits, what binds it, and which none other beats.

It answers the paper's question ("a network is to be scaled: how?") for a device and a budget. It
predicts no accuracy: it recommends first what evidence supports (see `evidence`, `answer`), then what
has more flops, and never what lies far outside of what was measured while there is something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastscale.archs import Arch
from fastscale.archs.names import base_of
from fastscale.errors import InputError
from fastscale.planning.answer import EQUAL, Answer, answer, commands
from fastscale.planning.candidate import Candidate, Conditions, candidate, costs
from fastscale.planning.evidence import published_error
from fastscale.planning.predict import check_sizes
from fastscale.planning.search import Found, Search, Unlimited, structure
from fastscale.planning.weights import candidates as trained
from fastscale.scaling import Strategy
from fastscale.scaling.strategy import POW2

BUDGETS = (
    *("flops", "params", "acts", "epoch_time_min", "memory_mib"),
    *("latency_ms", "inference_memory_mib"),
)
_SERVED = {"latency_ms", "inference_memory_mib"}  # those of inference
STRATEGIES = ("d", "wg", "r", "dw", "dwr", "dwgr", "alpha=2/3", "dWr")
FAMILY = tuple(f"alpha={i / 10:g}" for i in range(11))
_MOST_BUDGET = 1e30  # of anything: a larger one is a slip of the keyboard


@dataclass(frozen=True)
class Plan:
    """Candidates, the recommended first (see `ranked`, `answer`), and for what is missing among them
    the reason, by (base, strategy)."""

    budgets: dict[str, float]
    conditions: Conditions
    candidates: tuple[Candidate, ...]
    missing: dict[tuple[str, str], str]

    @property
    def best(self) -> Candidate:
        """The recommended candidate."""
        return self.candidates[0]

    @property
    def pareto(self) -> tuple[Candidate, ...]:
        """Of the best supported, those that no other of them beats in flops without costing more."""
        return tuple(c for c in self.candidates if c.pareto)

    @property
    def answer(self) -> Answer | None:
        """What is recommended and why, and why each other one is not; None without a budget."""
        return answer(self) if self.budgets else None

    def to_dict(self, recipe: str = "imagenet-100ep", data: str | None = None) -> dict[str, Any]:
        """For JSON. `data`: the source to train on."""
        found = self.answer
        own = found and {**vars(found), "commands": commands(self, recipe, data=data)}
        return {
            "budgets": self.budgets,
            "answer": own,
            "candidates": [c.to_dict(recipe) for c in self.candidates],
            "missing": [
                {"base": b, "strategy": s, "reason": reason}
                for (b, s), reason in self.missing.items()
            ],
        }


def plan(
    bases: Sequence[Arch],
    strategies: Sequence[str | Strategy] | None,
    budgets: dict[str, float],
    conditions: Conditions,
    group_width_rounding: str | None = None,
) -> Plan:
    """See `fastscale.plan`."""
    _check(budgets, conditions)
    conditions = _batches(budgets, conditions)
    bases = list({base.name: base for base in bases}.values())
    if not bases or (strategies is not None and not strategies):
        raise InputError("give at least one base and one strategy to plan with")
    if not budgets:
        made = [
            candidate(
                base, "as it is", Found(1.0, base, conditions.count(base), {}, 0.0, ""), conditions
            )
            for base in bases
        ]
        return Plan({}, conditions, _marked(made, budgets), {})
    for base in bases:
        if (unscaled := base_of(base.name)) != base.name:
            raise InputError(
                f"{base.name} is scaled already: give the base, {unscaled}, whose runs have names"
            )
    asked = STRATEGIES if strategies is None else strategies
    chosen = [Strategy.parse(s).rounded(group_width_rounding) for s in asked]
    both = strategies is None and group_width_rounding is None and conditions.jump
    made, missing, nearest = [], {}, []
    for base in bases:
        seen: dict[tuple, str] = {}
        for strategy in _roundings(base, chosen, both):
            search = Search(
                base,
                strategy,
                budgets,
                conditions.count,
                lambda arch, counted: costs(arch, counted, budgets, conditions),
                conditions.jump,
            )
            try:
                found = search.largest()
            except Unlimited as error:
                missing[base.name, strategy.name] = str(error)
                continue
            if found is None:
                least = search.least()
                missing[base.name, strategy.name] = _short_of(least, budgets)
                nearest += [least] if least else []
            elif (shape := structure(found.arch)) in seen:
                missing[base.name, strategy.name] = f"the same network as {seen[shape]}'s"
            else:
                seen[shape] = strategy.name
                made.append(candidate(base, strategy.name, found, conditions))
    if not made:
        raise InputError(
            _nothing(missing, nearest, budgets)
            + (f"; {conditions.served:g} images at inference" if _SERVED & set(budgets) else "")
        )
    return Plan(budgets, conditions, _marked(ranked(made), budgets), missing)


def plan_trained(
    wanted: Sequence[str],
    budgets: dict[str, float],
    conditions: Conditions,
    resolution: int | None = None,
) -> Plan:
    """Of networks with public ImageNet weights, those within the budgets, the lowest published error
    first. `wanted`: parts of names; none: every network that has any."""
    _check(budgets, conditions)
    conditions = _batches(budgets, conditions)
    made, missing, over = trained(wanted, budgets, conditions, resolution)
    if not made:
        raise InputError(_nothing(missing, over, budgets))
    return Plan(budgets, conditions, _marked(made, budgets), missing)


def _roundings(base: Arch, strategies: Sequence[Strategy], both: bool) -> list[Strategy]:
    """The strategies, each once; without group convs there is nothing to round. `both`: with powers
    of two beside the paper's rounding, where group widths grow or are none in the base."""
    if not base.grouped:
        return list(dict.fromkeys(s.rounded("paper") for s in strategies))
    uneven = any(g & (g - 1) for g in base.group_widths)
    found = []
    for s in strategies:
        found += [s, s.rounded("power_of_two")] if both and (uneven or s.group_width) else [s]
    return list(dict.fromkeys(found))


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best supported first; of equally supported ones the family of the lowest published error
    at that size, where all of them have one, else of most flops; in a family those of most flops,
    and of about as many (within 5 %) the one of fewest acts, which is the fastest by the paper's
    finding."""
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
    """Whether group widths held to powers of two afford clearly more flops than the same strategy
    by the paper's rounding, where that is beside them; true of all else."""
    stem = c.strategy.removesuffix(POW2)
    twin = next((x for x in candidates if (x.base, x.strategy) == (c.base, stem)), c)
    return twin is c or c.counts.flops > EQUAL * twin.counts.flops


def _of_one_family(candidates: Sequence[Candidate]) -> list[Candidate]:
    left = sorted(candidates, key=lambda c: (c.standing, -c.counts.flops))
    found: list[Candidate] = []
    while left:
        first = left[0]
        alike = [
            c
            for c in left
            if c.standing == first.standing and c.counts.flops * EQUAL >= first.counts.flops
        ]
        found += sorted(alike, key=lambda c: c.counts.acts)
        left = left[len(alike) :]
    return found


def _batches(budgets: dict[str, float], conditions: Conditions) -> Conditions:
    """`batch` is that of training, and of inference only where nothing of training is asked for:
    a budget of inference without one of training, or a device measured at inference alone.
    """
    of_training = {"epoch_time_min", "memory_mib"} & set(budgets)
    alone = bool(_SERVED & set(budgets)) or (conditions.inference and not conditions.training)
    if conditions.batch is None or conditions.latency_batch or of_training or not alone:
        return conditions
    return replace(conditions, batch=None, latency_batch=conditions.batch)


def _check(budgets: dict[str, float], conditions: Conditions) -> None:
    check_sizes(
        batch=conditions.batch,
        latency_batch=conditions.latency_batch,
        images=conditions.images,
        devices=conditions.devices,
        num_classes=conditions.num_classes,
    )
    for name, value in budgets.items():
        if not (isinstance(value, int | float) and 0 < value <= _MOST_BUDGET):
            got = f"{value!r}"[:40]
            raise InputError(f"{name} must be a finite number > 0, got {got}")
    if "epoch_time_min" in budgets and conditions.training is None:
        raise InputError(
            "a budget of epoch time needs a device that was measured in training: "
            "h100, v100, or a file of time records"
        )
    if "latency_ms" in budgets and conditions.inference is None:
        raise InputError(
            "a budget of latency needs a device that was measured at inference: rtx-4090, or a file of time records"
        )


def _marked(candidates: Sequence[Candidate], budgets: dict[str, float]) -> tuple[Candidate, ...]:
    prices = [_compared(c, budgets) for c in candidates]

    def beaten(i: int) -> bool:
        """By one that is better supported, or as well with more flops (of trained ones: a lower
        error) and no more cost; flops tell nothing between families."""
        own = candidates[i].counts.flops
        if candidates[i].standing > min(c.standing for c in candidates):
            return True
        for j, other in enumerate(prices):
            if candidates[j].standing != candidates[i].standing:
                continue
            trained_both = candidates[i].error is not None and candidates[j].error is not None
            if candidates[j].arch.family != candidates[i].arch.family and not trained_both:
                continue
            no_dearer = all(a <= b * EQUAL for a, b in zip(other, prices[i], strict=True))
            better = j < i if trained_both else candidates[j].counts.flops > own
            if j != i and better and no_dearer:
                return True
        return False

    return tuple(replace(c, pareto=not beaten(i)) for i, c in enumerate(candidates))


def _compared(c: Candidate, budgets: dict[str, float]) -> tuple[float, ...]:
    """What a network costs, flops aside: its predicted times, and whatever else has a budget; without either, its acts."""
    times = [p.image_time_s for p in (c.training, c.inference) if p is not None]
    others = [getattr(c.counts, name) for name in ("params", "acts") if name in budgets]
    others += [
        getattr(c, name) for name in ("memory_mib", "inference_memory_mib") if name in budgets
    ]
    return tuple(times + others) or (c.counts.acts,)


def _short_of(least: Found | None, budgets: dict[str, float]) -> str:
    if least is None:
        return "no network of these sizes exists"
    over = {name: least.costs[name] for name, limit in budgets.items() if least.costs[name] > limit}
    wanted = ", ".join(f"{name} {_said(budgets[name])}" for name in over)
    return f"nothing meets {wanted}; the smallest that would do: {', '.join(f'{name} {_said(_up(v))}' for name, v in over.items())}"


def _nothing(
    missing: dict[tuple[str, str], str], nearest: Sequence[Found], budgets: dict[str, float]
) -> str:
    """One line for a plan without candidates: the smallest budget that one network would meet."""
    if not nearest:
        (base, _), reason = next(iter(missing.items()))
        return f"{base}: {reason}"
    least = min(nearest, key=lambda found: found.load)
    return f"{_short_of(least, budgets)} (by {least.arch.name}: {least.terms.flops / 1e9:.3g} G flops, multiply-adds)"


def _up(value: float) -> float:
    """Three digits, rounded up: a budget of this is met."""
    short = float(f"{value:.3g}")
    return short if short >= value else float(f"{value * 1.005:.3g}")


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
