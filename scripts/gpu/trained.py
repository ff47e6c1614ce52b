"""`fastscale fit` on the device: the rate of its epochs, and whether it resumes after kill -9."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fastscale.errors import RunError
from fastscale.records import Record, RecordStore
from fastscale.training.runs import RunFolder

ROOT = Path(__file__).resolve().parents[2]
LOSS_WITHIN = 0.02  # share of the loss: a device need not repeat itself bit for bit


def command(run: str, runs: Path, source: str, options: list[str]) -> list[str]:
    """The command `fastscale fit` of `run`."""
    words = [sys.executable, "-m", "fastscale", "fit", "--run", run, "--runs_dir", str(runs)]
    return [*words, "--data.source", source, *options]


def environment() -> dict[str, str]:
    """The environment with this checkout's package."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)}


def fit(words: list[str], runs: Path, limit: float) -> tuple[Record, str]:
    """Trains a run; its record and stdout. RunError if it fails."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=limit, env=environment(), check=False
    )
    if done.returncode:
        raise RunError(f"fit ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return RecordStore(runs / "records.jsonl").read()[-1], done.stdout


def rate(
    run: str, out: Path, source: str, options: list[str], limit: float, bare: float, loader: float
) -> dict[str, Any]:
    """Images/s of a run's median epoch, relative to the bare step and to the slower of step and
    loader. `fine`: at least .95 of the slower, and the step was a graph."""
    record, _ = fit(command(run, out / "rate", source, options), out / "rate", limit)
    found = record.values["images_per_s"]
    shares = {k: v for k, v in record.values.items() if k.endswith("_share")}
    graph = record.env.get("cuda_graph")
    return {
        "run": record.run,
        "images_per_s": found,
        "of_step": found / bare,
        "of_slower": found / min(bare, loader),
        "cuda_graph": graph,
        "batch": record.env["batch"],
        "precision": record.env["precision"],
        **shares,
        "fine": found / min(bare, loader) >= 0.95 and graph in ("captured", "uncaptured"),
    }


def killed_and_resumed(
    run: str, out: Path, source: str, options: list[str], limit: float, step: int = 5
) -> dict[str, Any]:
    """Kills a run after `step` steps, resumes it, and compares it with one that was not killed."""
    ends = time.monotonic() + limit
    whole, _ = fit(command(run, out / "whole", source, options), out / "whole", limit)
    words = [*command(run, out / "cut", source, options), "--checkpoint_every", "0"]
    place = RunFolder(out / "cut", run, whole.seed or 0).path / "progress.json"
    with (out / "cut.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())
        try:
            while process.poll() is None and time.monotonic() < ends and done(place) < step:
                time.sleep(0.02)
            was = done(place)
            killed = process.poll() is None
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
    again, text = fit(words, out / "cut", max(1.0, ends - time.monotonic()))
    losses = [r.values["train_loss"] for r in (whole, again)]
    difference = abs(losses[1] - losses[0]) / losses[0]
    resumed = "resumes from its last checkpoint, after step" in text
    return {
        "run": run,
        "killed": killed,
        "after_step": was,
        "resumed": resumed,
        "train_loss": losses,
        "difference": difference,
        "epochs": [whole.epochs, again.epochs],
        "fine": killed and resumed and difference <= LOSS_WITHIN and whole.epochs == again.epochs,
    }


def done(progress: Path) -> int:
    """The steps that the run's checkpoint holds."""
    try:
        return json.loads(progress.read_text())["step"]
    except (OSError, ValueError, KeyError):
        return 0
