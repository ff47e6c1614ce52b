"""Runs made on a SLURM cluster: one job each, submitted with submitit, requeued when pre-empted or out of time, resumed by themselves.

Jobs belong to the cluster, not to this command: Ctrl-C leaves them, and a second call finds them (job.json in the run's folder).
"""

import json
import re
import runpy
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastscale.common import read_json, write_whole
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Plan
from fastscale.records import RecordStore
from fastscale.reproduce.drawing import time_arguments
from fastscale.reproduce.local import last_line, result, tail
from fastscale.reproduce.plan import Run
from fastscale.training.runs import progress

REQUEUES = 1000  # times that a job may run out of time: a long run lives through many
POLL = 10.0  # seconds between looks at the queue
ENDED = "ENDED"
SHOWN = 4  # running jobs whose progress fits in a line


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
        self.watch({run.label: (folders[run.label], run) for run in todo})
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
        self.watch({"timing": (folder, None)})
        return len([r for r in store.read()[before:] if r.kind == "time"]) >= len(
            {name.name for name in plan.names()}
        )

    def submit(self, folder: Path, name: str, arguments: Sequence[str], gpus: int) -> None:
        """One job, unless the one noted in `folder` still lives."""
        if self.states([folder]).get(folder, ENDED) != ENDED:
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

    def states(self, folders: Sequence[Path]) -> dict[Path, str]:
        """The state of the job noted in each folder, as SLURM names it, or ENDED; {} where the queue did not answer."""
        jobs = {folder: read_job(folder) for folder in folders}
        if self.kind == "local":
            import submitit

            names = {
                folder: submitit.LocalJob(folder, job).state if job else ENDED
                for folder, job in jobs.items()
            }
            return {
                folder: ENDED if state in ("FINISHED", "INTERRUPTED", "FAILED", ENDED) else state
                for folder, state in names.items()
            }
        if not any(jobs.values()):
            return dict.fromkeys(folders, ENDED)
        queue = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%A %T"], capture_output=True, text=True
        )
        if queue.returncode:  # a busy controller: ask again later
            return {}
        listed = dict(
            line.split()[:2] for line in queue.stdout.splitlines() if len(line.split()) >= 2
        )
        return {folder: listed.get(job or "", ENDED) for folder, job in jobs.items()}

    def watch(self, jobs: dict[str, tuple[Path, Run | None]]) -> None:
        """Says each change of state until every job has ended."""
        print(
            f"{len(jobs)} jobs; Ctrl-C leaves them to the cluster, and the same command finds them again",
            flush=True,
        )
        said = ""
        living = dict(jobs)
        while living:
            states = self.states([folder for folder, _ in living.values()])
            for label, (folder, run) in list(living.items()):
                if states.get(folder) == ENDED:
                    del living[label]
                    line = (
                        f"{label}: ended"
                        if run is None
                        else (result(run) if run.own else f"{label}: failed")
                    )
                    print(
                        f"[{len(jobs) - len(living):{len(str(len(jobs)))}}/{len(jobs)}] {line}",
                        flush=True,
                    )
            counted = Counter(
                states[folder].lower() for folder, _ in living.values() if folder in states
            )
            line = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
            going = [
                (label, run)
                for label, (folder, run) in living.items()
                if run and states.get(folder) == "RUNNING"
            ]
            shares = "; ".join(
                f"{label}: {100 * progress(run.folder.path):.0f} %" for label, run in going[:SHOWN]
            )
            line += f" ({shares}{'; ...' if len(going) > SHOWN else ''})" if shares else ""
            if line and line != said:
                print(f"        {line}", flush=True)
                said = line
            if living:
                time.sleep(POLL)


def job_name(run: Run) -> str:
    """As squeue shows it."""
    return f"{run.spec.run}.seed{run.spec.seed}"


def read_job(folder: Path) -> str | None:
    """The number of the job noted in a folder."""
    try:
        return str(read_json(folder / "job.json")["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def problem(folder: Path, run: Run) -> str:
    """What a run that left no record said last, and where the rest stands."""
    job = read_job(folder)
    logs = [folder / f"{job}_0_log.{kind}" for kind in ("err", "out")]
    for log in logs:
        lines = tail(log)
        said = [line for line in lines if line.startswith("error: ")] or [
            line for line in lines if line and not line.startswith(" ")
        ]
        if said:
            return f"{said[-1][:240]} (log: {log})"
    return f"it left no log{last_line(run)} (folder: {folder})"


def parse_minutes(text: str) -> int:
    """SLURM's spellings of a time limit: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes[:seconds].

    >>> [parse_minutes(t) for t in ("90", "90:30", "8:00:00", "2-0", "1-12:30")]
    [90, 91, 480, 2880, 2190]
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not found:
        raise InputError(
            f"--time {text!r}: write it as SLURM does: minutes, hours:minutes:seconds, or days-hours"
        )
    days, a, b, c = (int(v or 0) for v in found.groups())
    if found[1] is not None:
        seconds = ((24 * days + a) * 60 + b) * 60 + c
    elif found[4] is not None:
        seconds = (a * 60 + b) * 60 + c
    else:
        seconds = a * 60 + b
    if seconds < 60:
        raise InputError(f"--time {text!r}: give at least a minute")
    return -(-seconds // 60)


def parse_further(pairs: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs, keys as sbatch's long options."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z_-]*", key):
            raise InputError(
                f"--slurm {pair!r}: write KEY=VALUE, as in --slurm account=vision or --slurm cpus_per_task=8"
            )
        found[key.replace("-", "_")] = value
    if not found.get("nodes", "1").isdigit() or found.get("nodes") == "0":
        raise InputError(f"--slurm nodes={found['nodes']}: give a number of at least 1")
    return found
