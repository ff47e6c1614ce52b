"""The sweep of `scripts/gpu.sh time`: the paper's grid by `fastscale time`, within the call's time.

Its records are in `records.jsonl` in the call's folder; a later call resumes from them.
"""

import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from fastscale.records import Record, RecordStore, step_time
from fastscale.timing.grid import load_grid
from fastscale.timing.sweep import Outcome, Sweep

RECORDS = "records.jsonl"
STEADY = 0.01  # how far a GPU's reference may drift, and the rounds of a network may spread


def swept(
    out: Path, earlier: Path | None, device: str, seconds: float, tiny: bool = False
) -> dict[str, Any]:
    """Runs the sweep for `seconds`; `fine`: nothing failed and, on a GPU, all was steady."""
    began = time.monotonic()
    if earlier and (earlier / RECORDS).is_file() and not (out / RECORDS).exists():
        shutil.copyfile(earlier / RECORDS, out / RECORDS)
    grid = load_grid("tiny" if tiny else "paper")
    found = Sweep(grid, out / RECORDS, device, max(seconds, 1) / 60, flushed).run()
    line = {**told(found), "took_s": round(time.monotonic() - began, 1)}
    with (out / "time.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    stored = RecordStore(out / RECORDS).read()
    networks = {r.arch for r in stored if r.run.endswith(".time")}
    flushed(f"{len(networks)} networks have a training time in {out / RECORDS}")
    return line


def told(found: Outcome) -> dict[str, Any]:
    """A sweep in a line: counts, drift, and its time relative to that of the measured rounds."""
    spreads = [s for r in found.measured if (s := replayed_spread(r)) is not None]
    steady = not spreads or (
        abs(found.drift - 1) <= STEADY and statistics.median(spreads) <= STEADY
    )
    return {
        "fine": not found.failed and steady,
        "measured": len(found.measured),
        "before": found.before,
        "left": found.left,
        "failed": found.failed,
        "drift": found.drift,
        "device_time_spread": statistics.median(spreads) if spreads else None,
        "took_over_rounds": found.took_s / found.rounds_s if found.rounds_s else None,
    }


def replayed_spread(record: Record) -> float | None:
    """The spread of a record's device time relative to its median."""
    found = step_time(record, clock="device")
    return found.spread / found.seconds if found and found.spread is not None else None


def flushed(line: str) -> None:
    """Prints a line at once."""
    print(line, flush=True)
