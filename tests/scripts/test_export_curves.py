"""scripts/export_curves.py, with real event files: TensorBoard's curves become CSV for figures."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from fastscale.paper.figures.curves import COLUMNS, TOGETHER, errors_by_epoch
from fastscale.records import RecordStore
from fastscale.training.runs import RunFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    """run(seed): the folder of a finished run of two epochs; the first was written twice, as after
    an interruption."""
    template = next(
        r
        for r in RecordStore(ROOT / "paper_figures" / "records" / "quick.jsonl").read()
        if r.kind == "train"
    )

    def make(seed, averaged=True):
        folder = RunFolder(tmp_path / "runs", "regnety-tiny.alpha=2/3-x2.quick", seed)
        folder.path.mkdir(parents=True)
        writer = SummaryWriter(str(folder.path))
        for step, error in ((10, 90.0), (10, 50.0 + seed), (20, 40.0 + seed)):
            for name in COLUMNS[1:]:
                if averaged or name != "top1_error_ema":
                    writer.add_scalar(name, error if "error" in name else 1.0, step)
        writer.close()
        record = replace(
            template, run=folder.run, seed=seed, epochs=2, values={"top1_error": 40.0 + seed}
        )
        folder.finish(record)
        return folder.path, record

    return make


def export(*words):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "export_curves.py"), *map(str, words)],
        capture_output=True,
        text=True,
    )


def test_many_runs_in_one_file(run, tmp_path):
    """Without averaged weights, which these recipes lack; with the run's name, not its folder's."""
    found = [run(seed, averaged=False) for seed in (1, 0)]
    done = export(*(folder for folder, _ in found), "--into", tmp_path / "all.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader((tmp_path / "all.csv").read_text().splitlines()))
    assert tuple(rows[0]) == TOGETHER and [row[:3] for row in rows[1:]] == [
        ["regnety-tiny.d1_w4_g4_r1-x2.quick", s, e] for s in "01" for e in "12"
    ]
    errors = errors_by_epoch(tmp_path / "all.csv", [record for _, record in found])
    assert errors["regnety-tiny.d1_w4_g4_r1-x2.quick", 1] == [51.0, 41.0]


def test_a_file_a_run(run, tmp_path):
    folder, _ = run(0)
    assert export(folder, "--out", tmp_path / "out").returncode == 0
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "regnety-tiny.d1_w4_g4_r1-x2.quick-seed0.csv"
    assert [row["top1_error"] for row in csv.DictReader(path.read_text().splitlines())] == [
        "50",
        "40",
    ]


def test_a_folder_without_a_run_is_one_line_and_leaves_the_file(run, tmp_path):
    folder, _ = run(0, averaged=False)
    (tmp_path / "all.csv").write_text("kept")
    (folder / "record.json").unlink()
    done = export(folder, "--into", tmp_path / "all.csv")
    assert (
        done.returncode == 2
        and "not a finished run" in done.stderr
        and done.stderr.count("\n") == 1
    )
    assert (tmp_path / "all.csv").read_text() == "kept"
    done = export(folder, "--out", tmp_path)
    assert done.returncode == 2 and "no such curves there (top1_error_ema)" in done.stderr
