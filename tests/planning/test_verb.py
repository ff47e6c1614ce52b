"""`fastscale plan`."""

import json

import pytest

from fastscale.cli import main
from fastscale.records import write_snapshot


def run(capsys, *argv):
    code = main(["plan", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_table(capsys):
    question = (
        "regnety-500mf efficientnet-b0 --device v100 --epoch-time-min 10 --strategies d dwr dWr"
    )
    code, out, _ = run(capsys, *question.split())
    lines = out.splitlines()
    assert code == 0 and lines[0] == "largest networks within epoch time 10 min"
    assert lines[2].split()[:2] == ["network", "multiply-adds,"] and "bound by" in lines[2]
    assert sum("regnety-500mf." in line for line in lines[3:9]) == 3
    assert lines[3].startswith("* regnety-500mf.dWr-x") and "epoch time, 99 %" in out
    assert "8 devices, 128 images a step" in " ".join(out.split())
    trained = lines[-3].removeprefix("train:  fastscale fit --run ")
    assert trained.startswith("regnety-500mf.dWr-x") and trained.endswith(".imagenet-100ep")
    network = trained.removesuffix(".imagenet-100ep")
    assert lines[-2:] == [
        f"check:  fastscale evaluate runs/{trained}/seed0",
        f"export: fastscale export runs/{trained}/seed0 {network}.onnx",
    ]
    assert max(map(len, lines[3:])) <= 130


def test_an_extrapolated_network_is_not_recommended(capsys):
    code, out, _ = run(capsys, "efficientnet-b0", "--epoch-time-min", "10", "--strategies", "dWr")
    assert code == 0 and "acts, flops outside the measured range" in out
    said = " ".join(out.split())
    assert "Not sure: efficientnet-b0.dWr-x" in said and "Recommended" not in out
    assert "but it is 1." in said and "(acts, flops) outside the measured range" in said
    assert "measure first: fastscale time efficientnet-b0.dWr-x" in out
    assert "Training on h100 (device time (CUDA graph), " in said


def test_networks_that_exceed_the_devices_memory_are_named(capsys):
    question = [
        "efficientnet-b0",
        "--strategies",
        "dWr",
        "--device",
        "v100",
        "--epoch-time-min",
        "45",
    ]
    code, out, _ = run(capsys, *question)
    assert code == 0 and "More than the device's 32 GiB: efficientnet-b0.dWr-x" in out
    code, out, _ = run(capsys, *question, "--memory-mib", "32768")
    assert code == 0 and "More than" not in out
    question = [
        "regnety-500mf",
        "--device",
        "rtx-4090",
        "--latency-ms",
        "100",
        "--latency-batch",
        "8",
    ]
    code, out, _ = run(capsys, *question)
    assert code == 0 and "within latency 100 ms for 8 images" in out


def test_without_a_budget_published_times_are_shown(capsys):
    code, out, _ = run(
        capsys, "regnety-4gf", "efficientnet-b4", "--device", "v100", "--device", "rtx-4090"
    )
    assert code == 0 and "measured" in out and " 7.60 " in out
    assert "latency, ms" in out and "fit --run" not in out
    code, out, _ = run(capsys, "regnety-tiny", "--device", "v100")
    said = " ".join(out.split())
    assert code == 0 and "! acts, flops, layers, params, resolution outside" in said


def test_json_and_records(capsys, tmp_path, records):
    path = write_snapshot(tmp_path / "records.jsonl", records)
    question = f"regnety-4gf --strategies family --device {path} --epoch-time-min 60 --json"
    code, out, _ = run(capsys, *question.split())
    training = json.loads(out)["candidates"][0]["training"]
    assert code == 0 and (training["device"], training["devices"]) == ("nvidia-test-1", 1)
    code, out, _ = run(capsys, "regnety-4gf", "--device", str(path))
    out = " ".join(out.split())
    assert code == 0 and "1 device," in out and "24 time records" in out
    assert "(NVIDIA Test 1, bf16-mixed precision, contiguous, not compiled, eager time" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["regnety-4gf", "--device", "h900", "--epoch-time-min", "10"],
            "for your own, measure some with `fastscale time",
        ),
        (
            ["regnety-4gf", "--device", "v100", "--epoch-time-min", "0.001"],
            "regnety-4gf, reaches epoch time 0.",
        ),
        (["regnety-4gf", "--device", "rtx-4090", "--epoch-time-min", "10"], "needs a device"),
        (["regnety-4g", "--flops", "1e9"], "did you mean 'regnety-4gf'"),
        (["regnety-4gf", "--strategies", "g", "--flops", "1e9"], "scales nothing"),
        ([], "give a budget (--flops 4G), a base, or --weights"),
        (["regnety-4gf", "--flops", "1e9", "--recipe", "nosuch"], "no recipe is named 'nosuch'"),
        (
            ["regnety-4gf", "--flops", "1e9", "--classes", "-3"],
            "--classes: wanted a whole number from 1",
        ),
        (
            ["regnety-4gf", "--device", "v100", "--layout", "best", "--epoch-time-min", "10"],
            "layout cannot be chosen for v100",
        ),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(capsys, argv, message, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))
    code, _, err = run(capsys, *argv)
    assert code == 2 and message in err and err.count("\n") == 1 and err.startswith("error: ")


def test_without_a_base_the_papers_bases_are_scaled(capsys):
    code, out, _ = run(capsys, "--flops", "1G", "--strategies", "dWr", "wg", "d", "r")
    rows = [line for line in out.splitlines() if line[2:].startswith(("regnet", "efficientnet"))]
    bases = {line[2:].split(".")[0] for line in rows if " G " not in line and len(line) > 90}
    assert code == 0 and bases == {"regnety-500mf", "regnetz-500mf", "efficientnet-b0"}
    assert "Recommended: regnetz-500mf.dWr-x" in out and "Not shown" not in out
    code, out, _ = run(capsys, "--flops", "1G", "--strategies", "family")
    assert code == 0 and "more, ranked lower (all: --json)." in out


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    assert "fastscale plan regnety-500mf" in capsys.readouterr().out.split("example:")[1]
