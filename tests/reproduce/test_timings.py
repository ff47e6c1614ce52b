"""Networks to time are planned like runs: each once, with its cost, unless it has a time."""

import pytest

from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.paper import load_artifact
from fastscale.records import Record, RecordStore, network_fields, write_snapshot
from fastscale.reproduce import drawing, timings
from fastscale.reproduce.cost import check_device
from fastscale.scaling import arch_named


def time_record(arch="regnety-tiny", device="made-up accelerator", data="imagenet"):
    env = {"device": device, "date": "2020-01-01T00:00:00Z"}
    fields = network_fields(arch_named(arch), 1000)
    return Record(
        kind="time",
        run=f"{arch}.time",
        **fields,
        data=data,
        values={"epoch_time_min": 1.5},
        env=env,
    )


def test_a_plan_that_only_times_shows_its_networks(tmp_path, capsys, data_home):
    command = [
        "reproduce",
        "fig-2",
        "--tier",
        "full",
        "--dry-run",
        "--device",
        "v100",
        "--runs_dir",
        str(tmp_path),
    ]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert (
        "0 runs" not in out
        and "135 networks to time, on dummy data: 0 have times, 135 have none" in out
    )
    (line,) = (line.split() for line in out.splitlines() if line.startswith("  efficientnet-b0 "))
    assert line[2] == "min" and "GiB" in line and "predicted for v100, on one device" in out


def test_only_times_of_this_device_count(small_artifact, tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "device_name", lambda: "made-up accelerator")
    artifact = small_artifact("one", (None, "wg", "d"), tier="full", seeds=(), timings=True)
    names = ["regnety-tiny", "regnety-tiny.wg-x2", "regnety-tiny.d-x2"]
    assert timings.untimed(artifact, "full", tmp_path) == names
    write_snapshot(
        tmp_path / "one.jsonl", [time_record(names[0]), time_record(names[1], device="another")]
    )
    assert timings.untimed(artifact, "full", tmp_path) == names[1:]
    RecordStore(tmp_path / "records.jsonl").append(time_record(names[1], device="a cluster's"))
    RecordStore(tmp_path / "records.jsonl").append(time_record(names[2], data="cifar10"))
    assert timings.untimed(artifact, "full", tmp_path) == names[2:]


def test_a_device_is_checked_even_without_runs(tmp_path, capsys, data_home):
    assert (
        main(
            [
                "reproduce",
                "fig-2",
                "--tier",
                "full",
                "--dry-run",
                "--device",
                "v10",
                "--runs_dir",
                str(tmp_path),
            ]
        )
        == 2
    )
    err = capsys.readouterr().err
    assert "no device is named 'v10'; " in err and "did you mean 'v100'" in err
    check_device("made-up accelerator", [time_record()])
    with pytest.raises(InputError, match="no device is named"):
        check_device("made-up accelerator", [])


def test_timing_reads_no_images(data_home, tmp_path):
    """So it does not need ImageNet's images; other data needs a known size."""
    plan = load_artifact("fig-2").plan("full")
    words = drawing.time_arguments(plan, tmp_path)
    assert (
        words[words.index("--images") + 1] == "1281167"
        and words[words.index("--classes") + 1] == "1000"
    )
    with pytest.raises(
        InputError,
        match=r"the number of images in an epoch is unknown.*data write folder:\S*photographs$",
    ):
        drawing.time_arguments(
            plan.model_copy(update={"data": f"folder:{tmp_path}/photographs"}), tmp_path
        )


def test_written_data_has_its_own_size(imagenet, tmp_path):
    words = drawing.time_arguments(load_artifact("fig-2").plan("full"), tmp_path)
    assert int(words[words.index("--images") + 1]) < 1000
