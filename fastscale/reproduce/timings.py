"""The networks that artifacts need times of: which have one, and the others' predicted epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fastscale.common import duration
from fastscale.paper import Artifact
from fastscale.paper.artifacts import Plan
from fastscale.records.committed import committed
from fastscale.reproduce.cost import UNKNOWN, Cost, cost_of, device_name
from fastscale.reproduce.plan import made_here
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe


class Timing(NamedTuple):
    """A network to time with a recipe's step; `cost`: of one epoch on one device."""

    arch: str
    data: str
    cost: Cost


def timed(artifact: Artifact, tier: str, runs_dir: Path) -> set[str]:
    """The networks with a time, made here or, in the full tier, published for this device."""
    plan = artifact.plan(tier)
    records = made_here(plan, runs_dir)
    if tier == "full":
        records += [r for r in committed(artifact.name) if r.env["device"] == device_name()]
    return {
        r.arch
        for r in records
        if r.kind == "time" and plan and "epoch_time_min" in r.values and r.data == plan.data
    }


def untimed(artifact: Artifact, tier: str, runs_dir: Path) -> list[str]:
    """The plan's networks without a time, in its order; none if the plan times nothing."""
    plan = artifact.plan(tier)
    if plan is None or not plan.timings:
        return []
    have = timed(artifact, tier, runs_dir)
    return [name.name for name in plan.names() if name.name not in have]


def show_timings(
    artifacts: Sequence[Artifact], tier: str, runs_dir: Path, device: str | None = None
) -> None:
    """Prints how many networks to time, and predicted epoch and memory of those without a time."""
    plans = [
        (artifact, plan)
        for artifact in artifacts
        if (plan := artifact.plan(tier)) is not None and plan.timings
    ]
    wanted = {(plan.recipe, plan.data, name.name) for _, plan in plans for name in plan.names()}
    if not wanted:
        return
    missing = {
        (p.recipe, p.data, arch): _timing(p, arch, device)
        for a, p in plans
        for arch in untimed(a, tier, runs_dir)
    }
    have = len(wanted) - len(missing)
    print(
        f"{len(wanted)} networks to time, on dummy data: {have} have times, "
        f"{len(missing)} have none"
    )
    if missing:
        width = max(len(timing.arch) for timing in missing.values())
        print(f"  {'to time':{width}}{'an epoch':>12}{'memory':>12}  data")
    for arch, data, cost in missing.values():
        memory = "" if cost.memory_mib is None else f"{cost.memory_mib / 1024:.2f} GiB"
        print(f"  {arch:{width}}{duration(cost.seconds):>12}{memory:>12}  {data}")
    for basis in sorted({timing.cost.source for timing in missing.values()} - {UNKNOWN}):
        print(f"  an epoch: {basis}, on one device; only some steps of it are run")
    if missing:
        print(
            "  memory: with the recipe's whole batch on one device; a batch that does not fit is "
            "halved"
        )
    if unknown := sum(timing.cost.seconds is None for timing in missing.values()):
        print(f"  epoch time of {unknown} of them: {UNKNOWN}")
    print(flush=True)


def _timing(plan: Plan, name: str, device: str | None) -> Timing:
    recipe = load_recipe(plan.recipe)
    cost = cost_of(arch_named(name), recipe, plan.data, devices=1, device=device)
    seconds = None if cost.seconds is None else cost.seconds / recipe.epochs
    return Timing(name, plan.data, Cost(seconds, cost.memory_mib, cost.source))
