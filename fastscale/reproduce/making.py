"""The verb: makes the artifacts of a tier and everything they need."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from fastscale.errors import InputError
from fastscale.paper.artifacts import Artifact, load_artifact
from fastscale.records.committed import facts
from fastscale.reproduce import drawing, local
from fastscale.reproduce.cost import check_device, check_gpus
from fastscale.reproduce.plan import Run, check_data, fetch, needed, read_sources, show
from fastscale.reproduce.timings import show_timings, untimed

if TYPE_CHECKING:
    from fastscale.reproduce.slurm import Cluster


def reproduce(
    names: Sequence[str],
    tier: str,
    runs_dir: Path,
    dry_run: bool = False,
    jobs: int | None = None,
    cluster: "Cluster | None" = None,
    device: str | None = None,
    data: Sequence[str] = (),
    budget: float | None = None,
    gpus: int = 1,
    write: bool = False,
) -> int:
    """Makes the artifacts of `names` in `tier`; returns the exit code, 1 if anything is missing.

    `jobs`: runs side by side on this machine. `cluster`: submit runs there instead. `device`:
    predict times for it. `data`: where the user keeps a data set (`cifar10:/path`). `budget`: start
    no run after these minutes. `gpus`: of this machine, for each run. `write`: the smoke tier
    replaces the committed files that differ.
    """
    if device is not None:
        check_device(device, facts())
    if tier == "smoke":
        return drawing.run_smoke(write and not dry_run)
    artifacts = [load_artifact(name) for name in dict.fromkeys(names)]
    for artifact in artifacts:
        if artifact.kind == "comparison" and artifact.plan(tier) is None:
            raise InputError(
                f"artifact {artifact.name!r} has no runs in tier {tier!r}; "
                f"it has {', '.join(artifact.tiers)}, and smoke"
            )
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be at least 1, got {jobs}")
    if budget is not None and not budget > 0:
        raise InputError(f"--budget must be above 0 minutes, got {budget:g}")
    if budget is not None and cluster:
        raise InputError("--budget is for runs on this machine; for a cluster give --time")
    if not cluster:
        check_gpus(gpus, dry_run)
    for artifact in artifacts:
        print(f"{artifact.name}: {artifact.title}", flush=True)
        # closed form, counts or published points: nothing to run
        if artifact.plan(tier) is None and not dry_run:
            drawing.show_static(artifact)
    planned = [artifact for artifact in artifacts if artifact.plan(tier) is not None]
    if not planned:
        return 0
    specs = [spec for artifact in planned if (plan := artifact.plan(tier)) for spec in plan.runs()]
    sources = read_sources(data, specs)
    devices = (cluster.gpus or 1) if cluster else gpus
    runs = needed(planned, tier, runs_dir, devices, device, sources)
    side_by_side = 1 if cluster else local.slots(sum(run.missing for run in runs), jobs)
    show(runs, runs_dir, side_by_side)
    show_timings(planned, tier, runs_dir, device)
    if dry_run:
        if cluster:
            cluster.show([run for run in runs if run.missing], runs_dir)
        warn_of_data(runs)
        return 0
    check_data(runs)
    runs_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs_dir / ".reproduce.lock", timeout=0)
    try:
        with lock:  # another training would disturb this one's timings
            return make(planned, runs, tier, runs_dir, jobs, cluster, budget, gpus)
    except Timeout:
        raise InputError(
            f"another reproduce uses {runs_dir}: wait for it, or give another --runs-dir"
        ) from None


def warn_of_data(runs: Sequence[Run]) -> None:
    """Prints missing data, which does not stop a dry run."""
    try:
        check_data(runs)
    except InputError as error:
        print(f"to be provided: {error}")


def make(
    artifacts: Sequence[Artifact],
    runs: Sequence[Run],
    tier: str,
    runs_dir: Path,
    jobs: int | None,
    cluster: "Cluster | None",
    budget: float | None = None,
    gpus: int = 1,
) -> int:
    """Makes the missing runs, then each plan's timings, then draws as far as there are records."""
    todo = [run for run in runs if run.missing]
    problems: list[str] = []
    if todo:
        fetch(runs)
        if cluster:
            problems = cluster.train(todo, runs_dir)
        else:
            problems = [
                f"{job.run.label} (log: {job.run.log})"  # the reason was printed when it failed
                for job in local.train(todo, jobs, gpus, budget)
            ]
    timed: set[tuple] = set()
    for artifact in artifacts:
        plan = artifact.plan(tier)
        assert plan is not None
        absent = [run.label for run in runs if artifact.name in run.artifacts and run.missing]
        key = (plan.recipe, plan.data, *(name.name for name in plan.names()))
        if absent:
            print(f"\n{artifact.name}: not timed, {len(absent)} of its runs are missing")
        elif plan.timings and key not in timed and (todo or untimed(artifact, tier, runs_dir)):
            timed.add(key)
            done = cluster.measure(plan, runs_dir) if cluster else drawing.measure(plan, runs_dir)
            problems += [] if done else [f"{artifact.name}: its networks could not be timed"]
        records = drawing.records_of(artifact, tier, runs_dir)
        if records:
            drawing.draw(artifact, tier, records)
        elif not absent:
            problems.append(f"{artifact.name}: nothing to draw from")
    for problem in problems:
        print(f"failed: {problem}", file=sys.stderr)
    return 1 if problems or any(run.missing for run in runs) else 0
