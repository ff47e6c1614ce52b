"""Jobs in a cluster's queue: their states, progress, and the last message of a failed one.

A job's number is in job.json of its folder. `kind`: slurm, or local (submitit's executor).
"""

import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fastscale.common import read_json
from fastscale.reproduce.local import last_line, result, tail
from fastscale.reproduce.plan import Run
from fastscale.training.runs import progress

POLL = 10.0  # seconds between queries of the queue
ENDED = "ENDED"
SHOWN = 4  # the most running jobs whose progress a line shows


def states(kind: str, folders: Sequence[Path]) -> dict[Path, str]:
    """The state of each folder's job in SLURM's words, or ENDED; {} if the queue did not answer."""
    jobs = {folder: read_job(folder) for folder in folders}
    if kind == "local":
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
    listed = dict(line.split()[:2] for line in queue.stdout.splitlines() if len(line.split()) >= 2)
    return {folder: listed.get(job or "", ENDED) for folder, job in jobs.items()}


def watch(kind: str, jobs: dict[str, tuple[Path, Run | None]]) -> None:
    """Prints each change of state until every job has ended."""
    print(
        f"{len(jobs)} jobs; Ctrl-C leaves them running, and the same command finds them again",
        flush=True,
    )
    printed = ""
    living = dict(jobs)
    while living:
        found = states(kind, [folder for folder, _ in living.values()])
        for label, (folder, run) in list(living.items()):
            if found.get(folder) == ENDED:
                del living[label]
                line = f"{label}: {'failed' if run else 'ended'}"
                line = result(run) if run and run.own else line
                number = len(jobs) - len(living)
                print(f"[{number:{len(str(len(jobs)))}}/{len(jobs)}] {line}", flush=True)
        counted = Counter(found[folder].lower() for folder, _ in living.values() if folder in found)
        line = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        going = [
            (label, run)
            for label, (folder, run) in living.items()
            if run and found.get(folder) == "RUNNING"
        ]
        shares = "; ".join(
            f"{label}: {100 * progress(run.folder.path):.0f} %" for label, run in going[:SHOWN]
        )
        line += f" ({shares}{'; ...' if len(going) > SHOWN else ''})" if shares else ""
        if line and line != printed:
            print(f"        {line}", flush=True)
            printed = line
        if living:
            time.sleep(POLL)


def read_job(folder: Path) -> str | None:
    """The number of a folder's job, or None."""
    try:
        return str(read_json(folder / "job.json")["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def problem(folder: Path, run: Run) -> str:
    """The last message of a run without a record, and where its log is."""
    job = read_job(folder)
    logs = [folder / f"{job}_0_log.{kind}" for kind in ("err", "out")]
    for log in logs:
        lines = tail(log)
        errors = [line for line in lines if line.startswith("error: ")]
        errors = errors or [line for line in lines if line and not line.startswith(" ")]
        if errors:
            return f"{errors[-1][:240]} (log: {log})"
    return f"it left no log{last_line(run)} (folder: {folder})"
