"""The frame: units of its values, and one table of our rows and the published ones."""

import subprocess
import sys

import pytest

import fastscale as fs
from fastscale.home import home
from fastscale.records import Record, RecordStore, network_fields
from fastscale.records.committed import committed
from fastscale.records.frame import COLUMNS, Row, recorded
from fastscale.scaling import arch_named

ENV = {"device": "made-up", "date": "2026-01-01T00:00:00Z", "batch": 64, "layout": "contiguous"}


def record(values, kind="time", **env):
    fields = network_fields(arch_named("regnety-500mf.dWr-x2"), 1000)
    return Record(kind=kind, run="made-up", **fields, values=values, env=ENV | env)


def test_a_step_gives_seconds_per_image_and_the_spread_of_an_epoch():
    row = recorded(
        record(
            {"step_time_s": 0.32, "step_time_spread_s": 0.016, "epoch_time_min": 100.0},
            device_type="cuda",
            precision="16-mixed",
            compile=False,
        )
    )
    assert (row.source, row.mode, row.kind) == ("ours", "training", "time")
    assert row.image_time_s == 0.005 and row.epoch_time_min == 100.0
    assert row.epoch_time_spread_min == pytest.approx(5.0)
    assert (row.family, row.base) == ("RegNetY", "regnety-500mf")
    assert (row.strategy, row.factor) == ("dWr", 2.0)
    assert (row.precision, row.layout) == ("16-mixed", "contiguous")
    assert (row.compile, row.batch) == (False, 64)
    assert row.top1_error is None


def test_a_pass_is_inference_and_training_has_minutes():
    inference = recorded(record({"inference_time_s": 0.128}))
    assert (inference.mode, inference.image_time_s) == ("inference", 0.002)
    trained = recorded(record({"top1_error": 20.0, "epoch_time_s": 90.0}, kind="train"))
    assert (trained.top1_error, trained.epoch_time_min, trained.image_time_s) == (20.0, 1.5, None)


def test_records_with_few_fields_are_rows_too():
    fields = network_fields(arch_named("resnet-50"), 10)
    bare = Record(
        kind="time",
        run="r",
        **fields,
        values={"step_time_s": 1.0},
        env={"device": "d", "date": "2026-01-01T00:00:00Z"},
    )
    row = recorded(bare)
    assert row.device_type == "cpu" and row.devices == 1
    assert row.batch is row.image_time_s is row.compile is row.torch is None


def test_the_table_holds_every_committed_record_and_reference_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = fs.records()
    assert table["id"].is_unique and set(table["source"]) == {"ours", "published"}
    ours = table[table["source"] == "ours"]
    assert set(ours["id"]) == {r.id for r in committed()}
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    step = ours[ours["step_time_s"].notna()].iloc[0]
    (own,) = [r for r in committed() if r.id == step["id"]]
    assert step["step_time_s"] == own.values["step_time_s"]
    assert step["image_time_s"] == own.values["step_time_s"] / own.env["batch"]
    strategies = set(table["strategy"].dropna())  # canonical spellings only
    assert "d1_w4_g4_r1" in strategies and not [s for s in strategies if "alpha" in s]
    (paper,) = [line for _, line in table[table["id"] == "paper_points-2"].iterrows()]
    assert (paper["flops"], paper["epoch_time_min"]) == (0.386e9, 2.86)


def test_the_users_runs_are_added_to_the_committed(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path / "runs"))
    own = record({"step_time_s": 0.5})
    before = len(fs.records())
    RecordStore(tmp_path / "runs" / "records.jsonl").append(own)
    RecordStore(tmp_path / "runs" / "records.jsonl").append(committed()[0])
    table = fs.records()
    assert len(table) == before + 1 and own.id in set(table["id"])
    assert len(fs.records(tmp_path / "runs")) == len(table)
    with pytest.raises(fs.InputError, match="no such folder of runs"):
        fs.records(tmp_path / "absent")


def test_every_column_is_described():
    names = [f for f in Row.__dataclass_fields__ if f not in COLUMNS]
    assert names == ["runs", "top1_error_spread", "written", "record"]
    assert all(COLUMNS.values())


@pytest.mark.parametrize("first", ["import fastscale.records", "from fastscale.api import arch"])
def test_records_is_a_package_and_a_function(first):
    """In whichever order they are imported; pandas is imported by the call."""
    code = f"""
import sys
{first}
import fastscale
from fastscale.records import Record
assert "pandas" not in sys.modules
import fastscale.records
from fastscale import records
assert records is fastscale.records and records.Record is Record
print(len(fastscale.records()), Record.__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=home().root,
        env={"PYTHONPATH": str(home().root), "FASTSCALE_RUNS": "/none"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "Record" and int(done.stdout.split()[0]) > 3000
