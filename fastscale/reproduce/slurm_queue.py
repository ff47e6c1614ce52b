"""Jobs in a cluster's queue: their states, how far they are, and what a failed one said last.

A job's number is noted in job.json of its folder. `kind`: slurm, or local: submitit's own executor.
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

POLL = 10.0  # seconds between looks at the queue
ENDED = "ENDED"
SHOWN = 4  # running jobs whose progress fits in a line


def states(kind: str, folders: Sequence[Path]) -> dict[Path, str]:
    """The state of the job noted in each folder, as SLURM names it, or ENDED; {} where the queue did not answer."""
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
    """Says each change of state until every job has ended."""
    print(
        f"{len(jobs)} jobs; Ctrl-C leaves them to the cluster, and the same command finds them again",
        flush=True,
    )
    said = ""
    living = dict(jobs)
    while living:
        found = states(kind, [folder for folder, _ in living.values()])
        for label, (folder, run) in list(living.items()):
            if found.get(folder) == ENDED:
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
        if line and line != said:
            print(f"        {line}", flush=True)
            said = line
        if living:
            time.sleep(POLL)


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
