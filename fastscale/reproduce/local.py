"""Runs made on this machine, each in a separate process; they resume, and failures are independent.

On a CPU, as many run side by side as there are cores, one thread each: tiny networks gain little
from a second thread. On GPUs they run one after another.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastscale.common import die_with_parent, duration, open_to_append, pluralize
from fastscale.records.environment import cores
from fastscale.reproduce.cost import has_gpu
from fastscale.reproduce.plan import Run
from fastscale.training.runs import progress

SAY_EVERY = 300.0  # seconds between lines about unfinished runs


@dataclass
class Job:
    """A run in progress. `share`: how much of it was done before it started here."""

    run: Run
    process: subprocess.Popen | None = None
    began: float = 0.0
    took: float = 0.0
    share: float = 0.0
    problem: str = ""

    def done_here(self) -> float:
        """Work done since it started here, up to its last checkpoint."""
        finished = self.took and not self.problem
        share = 1.0 if finished else progress(self.run.folder.path)
        return self.run.work * max(0.0, share - self.share)


def time_left(
    ended: Sequence[Job], running: Sequence[Job], waiting: Sequence[Job], now: float, slots: int
) -> str:
    """`about N min left`, from the rate of work so far; empty while that is unknown."""
    if not running and not waiting:
        return "done"
    done, spent = sum(job.done_here() for job in ended), sum(job.took for job in ended)
    shares = [job.done_here() for job in running]
    done += sum(shares)
    spent += sum(now - job.began for job, share in zip(running, shares, strict=True) if share)
    if not done or not spent:
        return ""
    rate = done / spent
    left = sum(job.run.work * (1 - job.share) for job in waiting)
    for job, share in zip(running, shares, strict=True):
        left += max(0.0, job.run.work * (1 - job.share) - (share or rate * (now - job.began)))
    return f"about {duration(max(left / rate / slots, 1))} left"


def slots(count: int, jobs: int | None = None) -> int:
    """How many of `count` runs are made at once here. `jobs`: the most; default: see above."""
    return max(1, min(count, jobs or (1 if has_gpu() else cores())))


def train(
    todo: Sequence[Run], jobs: int | None = None, devices: int = 1, budget: float | None = None
) -> list[Job]:
    """Makes every run and returns those that failed. `budget`: start none after these minutes."""
    side_by_side = slots(len(todo), jobs)
    threads = max(1, cores() // side_by_side)
    print(
        f"training: {side_by_side} side by side, {pluralize(threads, 'thread')} each",
        flush=True,
    )
    waiting = [Job(run, share=progress(run.folder.path)) for run in todo]
    running: list[Job] = []
    ended: list[Job] = []
    began = printed = time.monotonic()
    try:
        while waiting or running:
            if waiting and budget is not None and time.monotonic() - began > 60 * budget:
                print(
                    f"the budget of {budget:g} minutes is spent: {len(waiting)} runs are left; "
                    "the same command continues",
                    flush=True,
                )
                waiting = []
            while waiting and len(running) < side_by_side:
                running.append(start(waiting.pop(0), threads, devices))
            time.sleep(0.2)
            for job in [j for j in running if j.process and j.process.poll() is not None]:
                running.remove(job)
                ended.append(job)
                line = outcome(job)
                left = time_left(ended, running, waiting, time.monotonic(), side_by_side)
                place = f"[{len(ended):{len(str(len(todo)))}}/{len(todo)}]"
                print(f"{place} {line}  {left}", flush=True)
                printed = time.monotonic()
            if running and time.monotonic() - printed > SAY_EVERY:
                printed = time.monotonic()
                shares = ", ".join(
                    f"{job.run.label}: {100 * progress(job.run.folder.path):.0f} %"
                    for job in running
                )
                left = time_left(ended, running, waiting, printed, side_by_side)
                print(f"        {shares}  {left}", flush=True)
    finally:
        stop(running)
    return [job for job in ended if job.problem]


def start(job: Job, threads: int, devices: int = 1) -> Job:
    """Starts the run's process; its output goes to the run's folder."""
    job.run.folder.path.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fastscale", *job.run.arguments()]
    command += ["--trainer.devices", str(devices)] if has_gpu() else ["--data.workers", "1"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }
    job.began = time.monotonic()
    with os.fdopen(open_to_append(job.run.log), "ab") as log:
        job.process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment,
            preexec_fn=die_with_parent,  # a killed `reproduce` ends its runs, which resume later
        )
    return job


def stop(running: Sequence[Job]) -> None:
    """Tells runs to save and end; kills those that take too long."""
    for job in running:
        if job.process is not None:
            job.process.terminate()
    deadline = time.monotonic() + 20
    for job in running:
        if job.process is not None:
            try:
                job.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                job.process.kill()


def outcome(job: Job) -> str:
    """A line about an ended run; sets `took`, and `problem` if it failed."""
    record = job.run.own
    job.took = max(time.monotonic() - job.began, 1e-3)
    took = f"{job.took:5.0f} s"
    if record is not None:
        return f"{result(job.run)}  {took}"
    code = job.process.returncode if job.process is not None else 1
    job.problem = f"exit code {code}" + last_line(job.run)
    return f"{job.run.label:44} failed  {took}: {job.problem}"


def result(run: Run) -> str:
    """A line about a finished run."""
    record = run.own
    assert record is not None
    error, rate = record.values["top1_error"], record.values.get("images_per_s", 0)
    return f"{run.label:44} error {error:6.2f} %  {rate:6.0f} images/s"


def last_line(run: Run) -> str:
    """The last line of the run's log, after a colon; "" without one."""
    lines = tail(run.log)
    return f": {lines[-1][:240]}" if lines else ""


def tail(log: Path, most: int = 1 << 16) -> list[str]:
    """The lines in the last `most` bytes of a log; [] if there is no log."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return []
