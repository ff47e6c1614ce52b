"""`fastscale list devices`, and the answer from a user's records."""

from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.cli import main
from fastscale.planning.known import answer, rows
from fastscale.planning.measured import measurements
from fastscale.records.committed import committed


@pytest.fixture(autouse=True)
def no_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))


def test_devices_say_what_was_measured_by_whom_and_how_well(capsys):
    assert main(["list", "devices"]) == 0
    said = capsys.readouterr().out
    (h100,) = [line for line in said.splitlines() if line.startswith("h100")]
    assert "device time (CUDA graph)" in h100 and "us: 132 time records" in h100
    assert any(
        line.startswith("rtx-5090 ") and "others: timm" in line for line in said.splitlines()
    )
    assert "fastscale time --here" in said
    assert not any(line.startswith("nvidia-h100") for line in said.splitlines()), "named already"
    assert [row["device"] for row in rows("v100")] == ["v100", "v100-fp32", "v100-fp32"]
    with pytest.raises(fs.InputError, match="no device has 'tpu' in its name"):
        rows("tpu")


def test_the_answer_from_a_users_records():
    said = answer([r for r in committed("timing-h100") if not r.run.endswith(".reference")])
    assert said[0].startswith("training: 132 time records") and "uneven groups" in said[0]
    assert said[1] == "  1.00 times the h100's time an image, median of 132 networks"
    assert said[-1].endswith("--device nvidia-h100-80gb-hbm3 --epoch-time-min 30")
    other = [replace(r, env=r.env | {"device": "another"}) for r in committed("timing-h100")[:3]]
    mixed = answer([*other, *committed("timing-h100")], "runs/records.jsonl")
    assert mixed[:-1] == said[:-1], "the device that was timed last"
    assert "--device runs/records.jsonl:nvidia-h100-80gb-hbm3 " in mixed[-1]
    with pytest.raises(fs.InputError, match="a law needs 7 networks"):
        answer(committed("timing-h100")[:3])


def test_eager_times_alone_make_a_law_of_eager_time(time_record):
    names = [f"regnety-500mf.dWr-x{x}" for x in range(1, 14)]
    records = [time_record(n, value="eager_step_time_s", cuda_graph=False) for n in names]
    (found,) = measurements(records, 7)
    assert len(found.observations) == 13 and "left out" not in found.source
