"""`fastscale reproduce`: from an artifact to its missing runs, their times, and the tables and figures drawn from the records.

Every run is a process of its own, logged and resumable; on a CPU as many run side by side as there are cores, one thread each, because
tiny networks gain little from a second thread.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fastscale.counts import complexity
from fastscale.data.paths import beton_folder
from fastscale.errors import InputError
from fastscale.paper import Artifact, draw_artifact, load_artifact, regenerate, render_terminal, select, smoke, snapshot
from fastscale.paper.artifacts import Plan, RunSpec
from fastscale.records import Record, RecordStore
from fastscale.records.environment import cores
from fastscale.scaling import arch_named
from fastscale.training.runs import RunFolder


@dataclass
class Job:
    """One training run on its way."""

    spec: RunSpec
    folder: RunFolder
    work: float  # what runs are weighed by in the estimate of the time left
    process: subprocess.Popen | None = None
    began: float = 0.0
    took: float = 0.0
    problem: str = ""

    @property
    def label(self) -> str:
        """How a line on the screen calls it."""
        return f"{self.spec.arch}, seed {self.spec.seed}"

    @property
    def log(self) -> Path:
        """What the run printed."""
        return self.folder.path / "fit.log"


def time_left(done: Sequence[Job], running: Sequence[Job], waiting: Sequence[Job], now: float, slots: int) -> str:
    """`about N min left`, from the work that finished runs did a second."""
    if not running and not waiting:
        return "done"
    rate = sum(job.work for job in done) / sum(job.took for job in done)
    left = sum(job.work for job in waiting) + sum(max(0.0, job.work - rate * (now - job.began)) for job in running)
    return f"about {max(left / rate / slots, 1) / 60:.1f} min left"


def reproduce(names: Sequence[str], tier: str, runs_dir: Path, dry_run: bool = False, jobs: int | None = None) -> int:
    """Makes the artifacts of `names` in `tier`; returns the exit code: 0, or 1 if something asked for is missing at the end."""
    if tier == "smoke":
        return run_smoke()
    artifacts = [load_artifact(name) for name in names]
    for artifact in artifacts:
        if artifact.kind == "comparison" and artifact.plan(tier) is None:
            raise InputError(f"artifact {artifact.name!r} has no runs in tier {tier!r}; it has {', '.join(artifact.tiers)}, and smoke")
    if jobs is not None and jobs < 1:
        raise InputError(f"--jobs must be at least 1, got {jobs}")
    if dry_run or all(artifact.plan(tier) is None for artifact in artifacts):
        return max(make(artifact, tier, runs_dir, dry_run, jobs) for artifact in artifacts)
    runs_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs_dir / ".reproduce.lock", timeout=0)
    try:
        with lock:  # another's training would be in this one's timings
            return max(make(artifact, tier, runs_dir, dry_run, jobs) for artifact in artifacts)
    except Timeout:
        raise InputError(f"another reproduce is at work in {runs_dir}: wait for it, or give another --runs_dir") from None


def run_smoke() -> int:
    """Everything that is committed, made again and compared."""
    began = time.monotonic()
    differences = smoke()
    for line in differences:
        print(f"differs: {line}")
    verdict = (
        f"{len(differences)} differences" if differences else "every count agrees, and every table and figure is made again as it lies here"
    )
    print(f"smoke tier: {verdict} ({time.monotonic() - began:.1f} s)")
    return 1 if differences else 0


def make(artifact: Artifact, tier: str, runs_dir: Path, dry_run: bool, jobs: int | None) -> int:
    """One artifact."""
    print(f"{artifact.name}: {artifact.title}\n", flush=True)
    plan = artifact.plan(tier)
    if plan is None:  # closed form or counts: nothing to run
        if not dry_run:
            written = regenerate(names=[artifact.name])
            print("\n".join(p.read_text(encoding="utf-8") for p in written if p.suffix == ".md"))
        return 0
    todo = plan_jobs(plan, runs_dir)
    show_plan(artifact, plan, todo, runs_dir)
    if dry_run:
        return 0
    fetch(plan)
    failed = train(todo, jobs) if todo else []
    if failed:
        print("\nnot timed: some runs failed")
    timed = not failed and measure(plan, runs_dir)
    records = select(RecordStore(runs_dir / "records.jsonl").read(), artifact, tier)
    if records:
        draw(artifact, tier, records)
    for job in failed:
        print(f"failed: {job.label}: {job.problem} (log: {job.log})", file=sys.stderr)
    return 1 if failed or not timed else 0


def plan_jobs(plan: Plan, runs_dir: Path) -> list[Job]:
    """The runs that are not finished here."""
    specs = [(spec, RunFolder(runs_dir, spec.run, spec.seed)) for spec in plan.runs()]
    # start, validation and so on take about as long as the base's training
    flops = {name: complexity(arch_named(name)).flops for spec, _ in specs for name in (spec.base, spec.arch)}
    return [Job(spec, folder, flops[spec.base] + flops[spec.arch]) for spec, folder in specs if folder.record is None]


def show_plan(artifact: Artifact, plan: Plan, todo: Sequence[Job], runs_dir: Path) -> None:
    """What is there, what will be run, and what it took where the committed records were made."""
    runs = plan.runs()
    print(f"{len(runs)} runs ({len(runs) - len(todo)} finished in {runs_dir}), data {plan.data}, recipe {plan.recipe}")
    committed = snapshot(artifact.name)
    known = {(r.run, r.seed): r for r in RecordStore(committed).read() if r.kind == "train"} if committed.is_file() else {}
    took = 0.0
    for job in todo:
        record = known.get((job.spec.run, job.spec.seed))
        seconds = record.values["epoch_time_s"] * (record.epochs or 1) if record else None
        took += seconds or 0.0
        print(f"  to run: {job.label:34}" + (f"{seconds:7.0f} s of training in the published record" if seconds else ""))
    if took:
        device = next(iter(known.values())).env["device"]
        print(f"  in all {took / 60:.1f} min of training on the published record's device ({device}), one thread each")
    print(flush=True)


def fetch(plan: Plan) -> None:
    """The plan's data set, fetched and written once."""
    from fastscale.data.write import prepare

    prepare(plan.data)


def train(todo: Sequence[Job], jobs: int | None) -> list[Job]:
    """Runs every job, some side by side; returns those that failed, which stop no other."""
    side_by_side = min(len(todo), jobs or (1 if has_gpu() else cores()))
    threads = max(1, cores() // side_by_side)
    print(f"training: {side_by_side} side by side, {threads} thread{'s' if threads > 1 else ''} each", flush=True)
    waiting = list(todo)
    running: list[Job] = []
    ended: list[Job] = []
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                job = waiting.pop(0)
                start(job, threads)
                running.append(job)
            time.sleep(0.2)
            for job in [j for j in running if j.process is not None and j.process.poll() is not None]:
                running.remove(job)
                ended.append(job)
                line, left = outcome(job), time_left(ended, running, waiting, time.monotonic(), side_by_side)
                print(f"[{len(ended):{len(str(len(todo)))}}/{len(todo)}] {line}  {left}", flush=True)
    finally:
        for job in running:
            if job.process is not None:
                job.process.terminate()
    return [job for job in ended if job.problem]


def start(job: Job, threads: int) -> None:
    """Starts the run's own process, its output in the run's folder."""
    job.folder.path.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fastscale", "fit", "--run", job.spec.run, "--seed_everything", str(job.spec.seed)]
    command += ["--runs_dir", str(job.folder.path.parent.parent), "--trainer.enable_progress_bar", "false"]
    command += ["--data.source", job.spec.data, "--data.workers", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    job.began = time.monotonic()
    with open(job.log, "ab") as log:
        job.process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, preexec_fn=die_with_parent
        )


def die_with_parent() -> None:
    """On Linux, a killed `reproduce` takes its runs with it; they resume with the next one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def outcome(job: Job) -> str:
    """A line about a run that ended; sets `problem` if it failed."""
    record = job.folder.record
    job.took = time.monotonic() - job.began
    took = f"{job.took:5.0f} s"
    if record is not None:
        error = record.values["top1_error"]
        return f"{job.label:36} error {error:6.2f} %  {record.values['images_per_s']:6.0f} images/s  {took}"
    lines = job.log.read_text(errors="replace").strip().splitlines() if job.log.is_file() else []
    assert job.process is not None
    job.problem = f"exit code {job.process.returncode}" + (f": {lines[-1][:160]}" if lines else "")
    return f"{job.label:36} failed  {took}"


def measure(plan: Plan, runs_dir: Path) -> bool:
    """Times the plan's networks in one quiet process of their own; whether it went well."""
    if not plan.timings:
        return True
    from fastscale.data.beton import read_info

    info = read_info(beton_folder(plan.data) / "train.beton")
    print("\ntiming: training steps on dummy data, in turns, nothing else running", flush=True)
    command = [sys.executable, "-m", "fastscale", "time", *(name.arch_name for name in plan.names()), "--recipe", plan.recipe]
    command += ["--data", plan.data, "--images", str(info.count), "--classes", str(len(info.classes)), "--runs_dir", str(runs_dir)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    return done.returncode == 0


def draw(artifact: Artifact, tier: str, records: Sequence[Record]) -> None:
    """The snapshot, the tables and figures made from it, and the tables on the screen."""
    from fastscale.paper.quick import quick_tables

    paths = draw_artifact(artifact, tier, records)
    for table in quick_tables(records, artifact, tier) if artifact.kind == "comparison" else []:
        print("\n" + render_terminal(table))
    print(f"figures and tables: {os.path.relpath(paths[0].parent)}/ (git diff shows them beside what was published)")
    for path in sorted(p for p in paths if p.suffix == ".png"):
        print(f"  {os.path.relpath(path)}")


def has_gpu() -> bool:
    """Whether runs will train on a GPU (they then run one after another)."""
    import torch

    return torch.cuda.is_available()
