"""The planner: for each base and strategy, the largest network within the budgets.

It answers the paper's question, how to scale a network, for a device and a budget. It predicts no
accuracy. It ranks first by evidence (see `evidence`, `answer`), then by flops, and puts networks
far outside the measured range last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastscale.archs import Arch
from fastscale.archs.names import base_of
from fastscale.errors import InputError
from fastscale.planning.answer import Answer, answer, commands
from fastscale.planning.candidate import Candidate, Conditions, budget_text, candidate, costs
from fastscale.planning.predict import check_sizes
from fastscale.planning.ranking import marked, ranked
from fastscale.planning.search import Found, Search, Unlimited, structure
from fastscale.planning.weights import candidates as trained
from fastscale.scaling import Strategy

_SERVED = {"latency_ms", "inference_memory_mib"}  # budgets of inference
STRATEGIES = ("d", "wg", "r", "dw", "dwr", "dwgr", "alpha=2/3", "dWr")
BASES = ("regnety-500mf", "regnetz-500mf", "efficientnet-b0")  # default
FAMILY = tuple(f"alpha={i / 10:g}" for i in range(11))
_MOST_BUDGET = 1e30  # a larger number is a typing error


@dataclass(frozen=True)
class Plan:
    """Candidates, the recommended one first (see `ranked`, `answer`).

    `missing`: by (base, strategy), why there is no candidate.
    """

    budgets: dict[str, float]
    conditions: Conditions
    candidates: tuple[Candidate, ...]
    missing: dict[tuple[str, str], str]

    def __repr__(self) -> str:
        best = f", the first {self.best.arch.name}" if self.candidates else ""
        asked = ", ".join(f"{name}={value:g}" for name, value in self.budgets.items())
        return f"Plan({len(self.candidates)} candidates{best}; {asked or 'no budget'})"

    def __str__(self) -> str:
        """The output of `fastscale plan`."""
        from fastscale.planning.table import lines

        return "\n".join(lines(self, "imagenet-100ep"))

    def _repr_html_(self) -> str:
        """The table for a notebook, with the recommendation below."""
        from fastscale.planning.table import html

        return html(self)

    @property
    def best(self) -> Candidate:
        """The recommended candidate."""
        return self.candidates[0]

    @property
    def pareto(self) -> tuple[Candidate, ...]:
        """Of the best supported candidates, those that no other beats in flops at equal cost."""
        return tuple(c for c in self.candidates if c.pareto)

    @property
    def answer(self) -> Answer | None:
        """The recommendation and its reasons; None without a budget."""
        return answer(self) if self.budgets else None

    def to_dict(
        self, recipe: str = "imagenet-100ep", data: str | None = None, by_size: bool = True
    ) -> dict[str, Any]:
        """For JSON. `data`, `by_size`: see `answer.commands`."""
        found = self.answer
        steps = commands(self, recipe, data=data, by_size=by_size)
        return {
            "budgets": self.budgets,
            "answer": found and {**vars(found), "commands": steps},
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
        return Plan({}, conditions, marked(made, budgets), {})
    for base in bases:
        if (unscaled := base_of(base.name)) != base.name:
            raise InputError(f"{base.name} is already scaled: give its base, {unscaled}")
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
                reason = "no network of these sizes exists"
                if least is not None:
                    nearest.append(least)
                    reason = "none is within {}; the smallest reaches {}".format(
                        *_short_of(least, budgets)
                    )
                missing[base.name, strategy.name] = reason
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
    return Plan(budgets, conditions, marked(ranked(made), budgets), missing)


def plan_trained(
    wanted: Sequence[str],
    budgets: dict[str, float],
    conditions: Conditions,
    resolution: int | None = None,
) -> Plan:
    """The networks with public ImageNet weights within the budgets, lowest published error first.

    `wanted`: parts of names (default: all networks with such weights).
    """
    _check(budgets, conditions)
    conditions = _batches(budgets, conditions)
    made, missing, over = trained(wanted, budgets, conditions, resolution)
    if not made:
        raise InputError(_nothing(missing, over, budgets))
    return Plan(budgets, conditions, marked(made, budgets), missing)


def _roundings(base: Arch, strategies: Sequence[Strategy], both: bool) -> list[Strategy]:
    """The strategies, each once; without group convs there is nothing to round.

    `both`: also with power-of-two group widths, if these grow or the base's are not powers of two.
    """
    if not base.grouped:
        return list(dict.fromkeys(s.rounded("paper") for s in strategies))
    uneven = any(g & (g - 1) for g in base.group_widths)
    found = []
    for s in strategies:
        found += [s, s.rounded("power_of_two")] if both and (uneven or s.group_width) else [s]
    return list(dict.fromkeys(found))


def _batches(budgets: dict[str, float], conditions: Conditions) -> Conditions:
    """Conditions whose `batch` applies to inference if only inference is planned for.

    That is a budget of inference without one of training, or a device measured only at inference.
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
            "a budget of latency needs a device that was measured at inference: "
            "rtx-4090, or a file of time records"
        )


def _short_of(least: Found, budgets: dict[str, float]) -> tuple[str, str]:
    """The limits that a network exceeds, and what it reaches, in words."""
    over = [name for name, limit in budgets.items() if least.costs[name] > limit]
    wanted = " and ".join(budget_text(name, budgets[name]) for name in over)
    return wanted, " and ".join(budget_text(name, _up(least.costs[name])) for name in over)


def _nothing(
    missing: dict[tuple[str, str], str], nearest: Sequence[Found], budgets: dict[str, float]
) -> str:
    """The message for a plan without candidates: the limits and what the nearest one reaches."""
    if not nearest:
        (base, _), reason = next(iter(missing.items()))
        return f"{base}: {reason}"
    least = min(nearest, key=lambda found: found.load)
    wanted, reached = _short_of(least, budgets)
    base = base_of(least.arch.name)
    name = base if least.factor == 1 else f"the smallest network made from {base}"
    return f"no network is within {wanted}; the nearest, {name}, reaches {reached}"


def _up(value: float) -> float:
    """Rounded up to three digits, so that a budget of this is met."""
    short = float(f"{value:.3g}")
    return short if short >= value else float(f"{value * 1.005:.3g}")
