"""Runs made on a SLURM cluster: one job each, submitted with submitit, requeued when pre-empted or out of time, resumed by themselves.

Jobs belong to the cluster, not to this command: Ctrl-C leaves them, and a second call finds them (job.json in the run's folder).
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

REQUEUES = 1000  # times that a job may run out of time: a long run lives through many


class Work:
    """What a job does: `fastscale` with these arguments, in each of its tasks. Requeued by submitit, it starts anew and the run resumes."""

    def __init__(self, arguments: Sequence[str]):
        self.arguments = list(arguments)

    def __call__(self) -> None:
        code: Any = 0
        sys.argv = ["fastscale", *self.arguments]
        try:  # as `python -m fastscale`, within the process that gets the cluster's signals
            runpy.run_module("fastscale", run_name="__main__")
        except SystemExit as end:
            code = end.code
        if code:
            raise RuntimeError(f"fastscale {self.arguments[0]} ended with exit code {code}")

    def checkpoint(self) -> Any:
        """Called on pre-emption: the run's own checkpoint lies in its folder, so the same work is submitted again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass
class Cluster:
    """How jobs are submitted. `gpus`: of a run, one task each (0: one task on CPUs); `minutes`: of a job, which is requeued after them.

    `further`: other sbatch parameters by name. `kind` "local" is submitit's own executor without a cluster, for tests.
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
        """InputError where nothing can be submitted."""
        if self.kind == "slurm" and shutil.which("sbatch") is None:
            raise InputError(
                "--cluster slurm: there is no sbatch here; start this on a machine that submits to the cluster"
            )

    @property
    def nodes(self) -> int:
        """Machines of a run."""
        return int(self.further.get("nodes", 1))

    def parameters(self, name: str, gpus: int) -> dict[str, Any]:
        """sbatch parameters of a job, as submitit takes them."""
        from submitit.slurm.slurm import _get_default_parameters

        own = set(_get_default_parameters())
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
        values |= {k: int(v) if v.isdigit() else v for k, v in others.items() if k in own}
        values["additional_parameters"] = {
            "requeue": True,
            **{k: v for k, v in others.items() if k not in own},
        }
        return values

    def executor(self, folder: Path, name: str, gpus: int) -> Any:
        """submitit's executor with the parameters of one job; `folder` gets its script and logs."""
        import submitit

        if self.kind == "local":
            executor: Any = submitit.LocalExecutor(folder)
            executor.update_parameters(timeout_min=self.minutes, tasks_per_node=1)
            return executor
        executor = submitit.SlurmExecutor(folder, max_num_timeout=REQUEUES)
        executor.update_parameters(**self.parameters(name, gpus))
        return executor

    def arguments(self, run: Run) -> list[str]:
        """What follows `fastscale` in a run's job."""
        words = run.arguments()
        if self.gpus:
            words += [
                "--trainer.accelerator",
                "gpu",
                "--trainer.devices",
                str(max(1, self.gpus // self.nodes)),
            ]
            return words + (["--trainer.num_nodes", str(self.nodes)] if self.nodes > 1 else [])
        return [*words, "--trainer.accelerator", "cpu", "--trainer.devices", "1"]

    def show(self, todo: Sequence[Run], runs_dir: Path) -> None:
        """What would be submitted: the sbatch parameters, then a line a run."""
        from submitit.slurm.slurm import _as_sbatch_flag

        if not todo:
            return
        values = self.parameters("NAME", self.gpus)
        flags = {
            **{k: v for k, v in values.items() if k != "additional_parameters"},
            **values["additional_parameters"],
        }
        print(f"would submit {len(todo)} jobs, each with")
        for key in sorted(flags):
            print(f"  {_as_sbatch_flag(key, flags[key])}")
        for run in todo:
            print(f"  {job_name(run)}: srun fastscale {' '.join(self.arguments(run))}")

    def train(self, todo: Sequence[Run], runs_dir: Path) -> list[str]:
        """Submits what is not in the queue already, and shows the jobs' states until all have ended; returns what went wrong."""
        self.check()
        folders = {run.label: run.folder.path.absolute() / "job" for run in todo}
        for run in todo:
            self.submit(folders[run.label], job_name(run), self.arguments(run), self.gpus)
        watch(self.kind, {run.label: (folders[run.label], run) for run in todo})
        return [
            f"{run.label}: {problem(folders[run.label], run)}" for run in todo if run.own is None
        ]

    def measure(self, plan: Plan, runs_dir: Path) -> bool:
        """Times the plan's networks in a job with one GPU; whether all have been timed."""
        folder = runs_dir.absolute() / f"time-{plan.recipe}"
        store = RecordStore(runs_dir / "records.jsonl")
        before = len(store.read())
        self.submit(
            folder,
            f"time.{plan.recipe}",
            time_arguments(plan, runs_dir.absolute()),
            min(self.gpus, 1),
        )
        watch(self.kind, {"timing": (folder, None)})
        return len([r for r in store.read()[before:] if r.kind == "time"]) >= len(
            {name.name for name in plan.names()}
        )

    def submit(self, folder: Path, name: str, arguments: Sequence[str], gpus: int) -> None:
        """One job, unless the one noted in `folder` still lives."""
        if states(self.kind, [folder]).get(folder, ENDED) != ENDED:
            print(f"  {name}: in the queue already, job {read_job(folder)}", flush=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        try:
            job = self.executor(folder, name, gpus).submit(Work(arguments))
        except (
            Exception
        ) as error:  # submitit has no class of its own for sbatch's refusals in all versions
            raise InputError(
                f"{name}: could not be submitted: {' '.join(str(error).split())[:300]}"
            ) from None
        write_whole(
            folder / "job.json", json.dumps({"job": job.job_id, "submitted": time.time()}) + "\n"
        )
        print(f"  {name}: submitted, job {job.job_id}", flush=True)


def job_name(run: Run) -> str:
    """As squeue shows it."""
    return f"{run.spec.run}.seed{run.spec.seed}"
