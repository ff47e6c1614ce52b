"""The verb: artifacts in a tier, with what they need, made as far as it goes."""

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
    """Makes the artifacts of `names` in `tier`; returns the exit code: 0, or 1 if something asked for is missing at the end.

    `jobs`: runs side by side here; `cluster`: where runs are submitted instead; `device`: whose times are predicted; `data`: where the user
    keeps a data set (`cifar10:/path`); `budget`: minutes after which no run is begun; `gpus`: of this machine that share a run;
    `write`: the smoke tier replaces the committed files that differ.
    """
    if device is not None:
        check_device(device, facts())
    if tier == "smoke":
        return drawing.run_smoke(write and not dry_run)
    artifacts = [load_artifact(name) for name in dict.fromkeys(names)]
    for artifact in artifacts:
        if artifact.kind == "comparison" and artifact.plan(tier) is None:
            raise InputError(
                f"artifact {artifact.name!r} has no runs in tier {tier!r}; it has {', '.join(artifact.tiers)}, and smoke"
            )
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be at least 1, got {jobs}")
    if budget is not None and not budget > 0:
        raise InputError(f"--budget must be above 0 minutes, got {budget:g}")
    if budget is not None and cluster:
        raise InputError("--budget is of runs on this machine; a cluster has --time")
    if not cluster:
        check_gpus(gpus, dry_run)
    for artifact in artifacts:
        print(f"{artifact.name}: {artifact.title}", flush=True)
        if (
            artifact.plan(tier) is None and not dry_run
        ):  # closed form, counts, published points: nothing to run
            drawing.show_static(artifact)
    planned = [artifact for artifact in artifacts if artifact.plan(tier) is not None]
    if not planned:
        return 0
    sources = read_sources(
        data,
        [spec for artifact in planned if (plan := artifact.plan(tier)) for spec in plan.runs()],
    )
    runs = needed(
        planned, tier, runs_dir, (cluster.gpus or 1) if cluster else gpus, device, sources
    )
    show(runs, runs_dir)
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
        with lock:  # another's training would be in this one's timings
            return make(planned, runs, tier, runs_dir, jobs, cluster, budget, gpus)
    except Timeout:
        raise InputError(
            f"another reproduce is at work in {runs_dir}: wait for it, or give another --runs-dir"
        ) from None


def warn_of_data(runs: Sequence[Run]) -> None:
    """In a dry run, data that is not here stops nothing."""
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
    """The missing runs, then the times of the networks of each plan, then what is drawn; each as far as there are records."""
    todo = [run for run in runs if run.missing]
    problems: list[str] = []
    if todo:
        fetch(runs)
        if cluster:
            problems = cluster.train(todo, runs_dir)
        else:
            problems = [
                f"{job.run.label}: {job.problem} (log: {job.run.log})"
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
