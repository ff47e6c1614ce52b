"""Runs made on a SLURM cluster: one job each, submitted with submitit.

Jobs are requeued when pre-empted or out of time, and then the runs resume. Ctrl-C leaves the jobs
running, and the same command finds them again (by job.json in the run's folder).
"""

import json
import runpy
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastscale.common import write_whole
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Plan
from fastscale.records import RecordStore
from fastscale.reproduce.drawing import time_arguments
from fastscale.reproduce.plan import Run
from fastscale.reproduce.slurm_queue import ENDED, problem, read_job, states, watch

REQUEUES = 1000  # how often a job may run out of time; a long run does many times


class Work:
    """A job's work: `fastscale` with these arguments in each task.

    When submitit requeues the job, this starts again and the run resumes.
    """

    def __init__(self, arguments: Sequence[str]):
        self.arguments = list(arguments)

    def __call__(self) -> None:
        code: Any = 0
        sys.argv = ["fastscale", *self.arguments]
        try:  # like `python -m fastscale`, in the process that gets the cluster's signals
            runpy.run_module("fastscale", run_name="__main__")
        except SystemExit as end:
            code = end.code
        if code:
            raise RuntimeError(f"fastscale {self.arguments[0]} ended with exit code {code}")

    def checkpoint(self) -> Any:
        """Called on pre-emption: submits the same work, since the run has its own checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass
class Cluster:
    """How jobs are submitted.

    `gpus`: of a run, one task each (0: one task on CPUs). `minutes`: of a job until it is requeued.
    `further`: other sbatch parameters by name. `kind`: slurm, or local (submitit's executor without
    a cluster, for tests).
    """

    gpus: int = 1
    minutes: int = 24 * 60
    partition: str | None = None
    further: dict[str, str] = field(default_factory=dict)
    kind: str = "slurm"

    def __post_init__(self) -> None:
        if self.gpus < 0:
            raise InputError(f"--gpus-per-run must be at least 0, got {self.gpus}")
        try:
            import submitit  # noqa: F401
        except ImportError:
            raise InputError(f"--cluster slurm needs submitit: {home().extra('cluster')}") from None

    def check(self) -> None:
        """InputError if this machine cannot submit jobs."""
        if self.kind == "slurm" and shutil.which("sbatch") is None:
            raise InputError(
                "--cluster slurm: there is no sbatch here; "
                "run this on a machine that submits to the cluster"
            )

    @property
    def nodes(self) -> int:
        """Machines for each run."""
        return int(self.further.get("nodes", 1))

    def parameters(self, name: str, gpus: int) -> dict[str, Any]:
        """sbatch parameters of a job, in submitit's form."""
        from submitit.slurm.slurm import _get_default_parameters

        known = set(_get_default_parameters())
        values: dict[str, Any] = {
            "job_name": name,
            "time": self.minutes,
            "nodes": 1,
            "ntasks_per_node": 1,
        }
        if self.partition:
            values["partition"] = self.partition
        if gpus:
            share = max(1, gpus // self.nodes)
            values |= {"ntasks_per_node": share, "gpus_per_node": share, "nodes": self.nodes}
        others = {k: v for k, v in self.further.items() if k != "nodes"}
        values |= {k: int(v) if v.isdigit() else v for k, v in others.items() if k in known}
        rest = {k: v for k, v in others.items() if k not in known}
        values["additional_parameters"] = {"requeue": True, **rest}
        return values

    def executor(self, folder: Path, name: str, gpus: int) -> Any:
        """submitit's executor for one job; `folder` gets its script and logs."""
        import submitit

        if self.kind == "local":
            executor: Any = submitit.LocalExecutor(folder)
            executor.update_parameters(timeout_min=self.minutes, tasks_per_node=1)
            return executor
        executor = submitit.SlurmExecutor(folder, max_num_timeout=REQUEUES)
        executor.update_parameters(**self.parameters(name, gpus))
        return executor

    def arguments(self, run: Run) -> list[str]:
        """The arguments of `fastscale` in a run's job."""
        kind, devices = ("gpu", max(1, self.gpus // self.nodes)) if self.gpus else ("cpu", 1)
        words = [*run.arguments(), "--trainer.accelerator", kind, "--trainer.devices", str(devices)]
        if self.gpus and self.nodes > 1:
            words += ["--trainer.num_nodes", str(self.nodes)]
        return words

    def show(self, todo: Sequence[Run], runs_dir: Path) -> None:
        """Prints what would be submitted: the sbatch parameters, then one line for each run."""
        from submitit.slurm.slurm import _as_sbatch_flag

        if not todo:
            return
        values = self.parameters("NAME", self.gpus)
        flags = values | values.pop("additional_parameters")
        print(f"would submit {len(todo)} jobs, each with")
        for key in sorted(flags):
            print(f"  {_as_sbatch_flag(key, flags[key])}")
        for run in todo:
            print(f"  {job_name(run)}: srun fastscale {' '.join(self.arguments(run))}")

    def train(self, todo: Sequence[Run], runs_dir: Path) -> list[str]:
        """Submits jobs not yet queued and prints states until all have ended; returns problems."""
        self.check()
        folders = {run.label: run.folder.path.absolute() / "job" for run in todo}
        for run in todo:
            self.submit(folders[run.label], job_name(run), self.arguments(run), self.gpus)
        watch(self.kind, {run.label: (folders[run.label], run) for run in todo})
        return [
            f"{run.label}: {problem(folders[run.label], run)}" for run in todo if run.own is None
        ]

    def measure(self, plan: Plan, runs_dir: Path) -> bool:
        """Times the plan's networks in a job with one GPU; returns whether all were timed."""
        folder = runs_dir.absolute() / f"time-{plan.recipe}"
        store = RecordStore(runs_dir / "records.jsonl")
        before = len(store.read())
        arguments = time_arguments(plan, runs_dir.absolute())
        self.submit(folder, f"time.{plan.recipe}", arguments, min(self.gpus, 1))
        watch(self.kind, {"timing": (folder, None)})
        timed = sum(r.kind == "time" for r in store.read()[before:])
        return timed >= len({name.name for name in plan.names()})

    def submit(self, folder: Path, name: str, arguments: Sequence[str], gpus: int) -> None:
        """Submits one job, unless the one noted in `folder` is still queued or running."""
        if states(self.kind, [folder]).get(folder, ENDED) != ENDED:
            print(f"  {name}: already in the queue, job {read_job(folder)}", flush=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            job = self.executor(folder, name, gpus).submit(Work(arguments))
        except Exception as error:  # not all versions of submitit have a class for sbatch's errors
            raise InputError(
                f"{name}: could not be submitted: {' '.join(str(error).split())[:300]}"
            ) from None
        write_whole(
            folder / "job.json", json.dumps({"job": job.job_id, "submitted": time.time()}) + "\n"
        )
        print(f"  {name}: submitted, job {job.job_id}", flush=True)


def job_name(run: Run) -> str:
    """The job's name in squeue."""
    return f"{run.spec.run}.seed{run.spec.seed}"
