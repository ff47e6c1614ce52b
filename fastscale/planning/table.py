"""A plan as a table for the terminal or a notebook, with its notes and its answer."""

import textwrap
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from fastscale.common import html_table
from fastscale.planning.answer import commands
from fastscale.planning.candidate import BUDGETS, budget_text
from fastscale.planning.notes import notes, rows, three

if TYPE_CHECKING:
    from fastscale.planning.plan import Plan
    from fastscale.planning.predict import Prediction

SERVED = ("latency_ms", "inference_memory_mib")  # these depend on the images a step


def lines(
    plan: "Plan",
    recipe: str,
    own: str = "",
    data: str | None = None,
    by_size: bool = True,
    hint: str = "",
) -> list[str]:
    """The candidates, what the numbers mean, and the answer, as lines of text.

    `recipe`, `own`, `data`, `by_size`: see `answer.commands`. `hint`: printed before the commands.
    """
    served = f" for {plan.conditions.served:g} image{'s' * (plan.conditions.served != 1)}"
    wanted = ", ".join(
        budget_text(name, value) + served * (name in SERVED) for name, value in plan.budgets.items()
    )
    meant = notes(plan)
    table = _table(_columns(plan))
    if not wanted:
        return ["networks as they are", "", *table, "", *_wrapped(meant)]
    return [
        f"largest networks within {wanted}",
        "",
        *table,
        "",
        *_wrapped(meant),
        "",
        *_answered(plan),
        *_wrapped([hint] if hint else []),
        "",
        *_commands(plan, own, commands(plan, recipe, own, data, by_size)),
    ]


def html(plan: "Plan") -> str:
    """The table and the recommendation for a notebook."""
    columns = _columns(plan)
    answered = " ".join(_answered(plan))
    rows = list(zip(*columns.values(), strict=True))
    return html_table(list(columns), rows) + (f"<p>{escape(answered)}</p>" if answered else "")


def _wrapped(paragraphs: Sequence[str]) -> list[str]:
    return [
        line
        for note in paragraphs
        for line in textwrap.wrap(note, 100, subsequent_indent="  ", break_on_hyphens=False)
    ]


def _answered(plan: "Plan") -> list[str]:
    """The recommendation and its reasons, as lines of text."""
    found = plan.answer
    if found is None:
        return []
    verdicts = {
        "recommended": f"Recommended: {found.network}: {found.why}.",
        "unsure": f"Not sure: {found.network}: {found.why}.",
        "none": f"Nothing recommended: even the first, {found.network}, is {found.why}.",
    }
    others = [f"- {', '.join(names)}: {reason}." for names, reason in found.others]
    if plan.best.weights:  # their errors are in the table
        others = []
    why = ["Why not the others:", *others] if others and found.verdict != "none" else []
    return _wrapped([verdicts[found.verdict], *why])


def _commands(plan: "Plan", own: str, three_commands: tuple[str, str, str]) -> list[str]:
    found = plan.answer
    train, check, export = three_commands
    steps = {"train": train, "check": check, "export": export}
    if found is not None and found.verdict != "recommended":
        measure = {"measure first": f"fastscale time {plan.best.arch.name}{own}"}
        steps = measure if found.verdict == "none" else {**measure, **steps}
    width = max(map(len, steps)) + 1
    return [f"{what + ':':{width}} {command}" for what, command in steps.items()]


def _columns(plan: "Plan") -> dict[str, list[str]]:
    """Header -> cells."""
    cs = plan.candidates[: rows(plan)]
    columns = {
        "network": [f"{'* ' if c.pareto and plan.budgets else '  '}{c.arch.name}" for c in cs],
        "multiply-adds, G": [three(c.counts.flops / 1e9) for c in cs],
        "params, M": [three(c.counts.params / 1e6) for c in cs],
        "acts, M": [three(c.counts.acts / 1e6) for c in cs],
        "px": [str(c.arch.resolution) for c in cs],
    }
    columns["weights"] = [c.weights.rpartition("/")[0] or c.trained_on for c in cs]
    columns["error, %"] = ["" if c.error is None else f"{c.error:.1f}" for c in cs]
    training = [p for c in cs if (p := c.training) is not None]
    if training:
        columns["epoch, min"] = [three(p.epoch_of(p.image_time_s)) + _sure(p) for p in training]
        columns["90 % interval"] = [
            f"{three(p.epoch_of(p.low))} to {three(p.epoch_of(p.high))}" for p in training
        ]
        columns["measured"] = [
            "" if p.measured is None else three(p.epoch_of(p.measured)) for p in training
        ]
    inference = [p for c in cs if (p := c.inference) is not None]
    if inference:
        columns["latency, ms"] = [three(1e3 * p.step_time_s) + _sure(p) for p in inference]
        columns["90 % interval "] = [
            f"{three(1e3 * p.low * p.batch)} to {three(1e3 * p.high * p.batch)}" for p in inference
        ]
        columns["measured "] = [
            "" if p.measured is None else three(1e3 * p.measured * p.batch) for p in inference
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
    """The mark after a predicted time: `!` if the law extrapolates, `!!` if far."""
    return "!" * (prediction.extrapolated + prediction.far)


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
