"""From records to tables and figures; also the timing of a plan's networks, and the smoke tier."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fastscale.common import die_with_parent
from fastscale.data.sizes import SIZES
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Artifact, Plan
from fastscale.paper.build import draw_artifact
from fastscale.paper.selection import select
from fastscale.paper.smoke import regenerate, rewrite, smoke
from fastscale.paper.tables.table import render_terminal
from fastscale.records import Record
from fastscale.records.committed import committed
from fastscale.reproduce.plan import made_here


def run_smoke(write: bool = False) -> int:
    """Regenerates and compares everything committed; `write`: replaces what differs."""
    began = time.monotonic()
    written, wrong = rewrite() if write else ([], smoke())
    for line in written:
        print(f"written: {line}")
    for line in wrong:
        print(f"differs: {line}")
    same = "all counts, tables and figures match the committed files"
    verdict = f"{len(wrong)} differences" if wrong else same
    done = f"files written: {len(written)}; " if write else ""
    print(f"smoke tier: {done}{verdict} ({time.monotonic() - began:.1f} s)")
    return 1 if wrong else 0


def show_static(artifact: Artifact) -> None:
    """Regenerates and prints a table that needs no run."""
    written = regenerate(names=[artifact.name])
    print("\n".join(p.read_text(encoding="utf-8") for p in written if p.suffix == ".md"))


def records_of(artifact: Artifact, tier: str, runs_dir: Path) -> list[Record]:
    """The records of the artifact's runs made here; in the full tier also the published ones."""
    here = made_here(artifact.plan(tier), runs_dir)
    known = committed(artifact.name) if tier == "full" else []
    return select([*known, *here], artifact, tier)


def time_arguments(plan: Plan, runs_dir: Path) -> list[str]:
    """The arguments of `fastscale` that time the plan's networks."""
    images, classes = _size(plan.data)
    words = ["time", *dict.fromkeys(name.name for name in plan.names())]
    words += ["--recipe", plan.recipe, "--data", plan.data]
    return [*words, "--images", str(images), "--classes", str(classes), "--runs-dir", str(runs_dir)]


def _size(data: str) -> tuple[int, int]:
    """(training images, classes) of the written data, or the known ones of a named data set."""
    from fastscale.data.beton import read_info
    from fastscale.data.paths import beton_folder
    from fastscale.data.sources import source

    path = beton_folder(source(data).name) / "train.beton"
    if data in SIZES and not path.is_file():
        return SIZES[data]
    try:
        info = read_info(path)
    except InputError:
        raise InputError(
            f"{data}: the number of images in an epoch is unknown; "
            f"write it first: {source(data).command}"
        ) from None
    return info.count, len(info.classes)


def measure(plan: Plan, runs_dir: Path) -> bool:
    """Times the plan's networks in a separate process; returns whether it succeeded."""
    print("\ntiming: training steps on dummy data, interleaved, nothing else running", flush=True)
    command = [sys.executable, "-m", "fastscale", *time_arguments(plan, runs_dir)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    return done.returncode == 0


def draw(artifact: Artifact, tier: str, records: Sequence[Record]) -> None:
    """Writes the snapshot, tables and figures, and prints the tables."""
    from fastscale.paper.quick import quick_tables

    paths = draw_artifact(artifact, tier, records)
    for table in quick_tables(records, artifact, tier) if artifact.kind == "comparison" else []:
        print("\n" + render_terminal(table))
    compare = "" if home().installed else " (git diff compares them with the published ones)"
    print(f"figures and tables: {os.path.relpath(paths[0].parent)}/{compare}")
    for path in sorted(p for p in paths if p.suffix == ".png"):
        print(f"  {os.path.relpath(path)}")
