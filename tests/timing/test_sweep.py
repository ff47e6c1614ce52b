"""A sweep resumes after kill -9, continues after a failure, and ends with its time."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fastscale.archs.names import NetworkName
from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.timing import worker
from fastscale.timing.crew import Crew
from fastscale.timing.done import Done
from fastscale.timing.grid import Grid, Part, Setting
from fastscale.timing.sweep import Sweep
from tests.timing.crashing import crash_in_training
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
SETTING = Setting("train", "32-true", "contiguous", False, 2)
CONDITIONS = {"repeats": 1, "images_per_epoch": 1_281_167}  # those of `a_grid`


def a_grid(networks, settings=(SETTING,), **options):
    sizes = {"classes": 4, "rounds": 1, "round_s": 0.001, **options}
    return Grid("test", (Part(tuple(networks), tuple(settings)),), ("regnety-tiny", 2), **sizes)


def measured(store):
    return [r for r in RecordStore(store).read() if not r.run.endswith(".reference")]


def fast_networks(count):
    return [NetworkName("regnety-tiny", "dWr", 1.0 + i / 10) for i in range(count)]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_a_killed_sweep_resumes(tmp_path):
    grid = tmp_path / "kill.yaml"
    grid.write_text(
        "name: kill\nclasses: 4\nrounds: 1\nround_s: 0.001\n"
        "reference: {network: regnety-tiny, batch: 2}\nparts:\n"
        "  - {bases: [regnety-tiny], strategies: [base, dWr], factors: [2],"
        " what: [train, inference],"
        " precision: [32-true], layout: [channels_last], batch: 2}\n"
    )
    command = [sys.executable, "-m", "fastscale", "time", "--grid", str(grid)]
    command += ["--runs_dir", str(tmp_path), "--device", "cpu"]
    store = tmp_path / "records.jsonl"
    first = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines = iter(first.stdout.readline, "")
    for line in lines:
        if line.startswith("[2/4]"):
            break
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = len(measured(store))
    assert 2 <= before < 4
    # the worker dies with the sweep, so the group empties soon
    until(lambda: not group_is_alive(first.pid), 20)
    before = len(measured(store))
    second = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert f"{4 - before} measured, {before} measured before, 0 left, 0 failed" in second.stdout
    records = measured(store)
    assert len(records) == 4 == len({r.run for r in records})
    assert all(r.env["grid"] == "kill" and r.env["drift"] > 0 for r in records)
    assert all(r.values["peak_memory_mib"] >= 0 for r in records)


def group_is_alive(group):
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_a_failure_is_logged_and_the_others_are_measured(tmp_path):
    said = []
    broken = Setting("train", "no-such-precision", "contiguous", False, 2)
    grid = a_grid(fast_networks(2), [broken, SETTING])
    store = tmp_path / "records.jsonl"
    sweep = Sweep(grid, store, "cpu", None, said.append)
    sweep._reference = lambda: setattr(sweep, "reference_at", time.monotonic())
    outcome = sweep.run()
    assert [r.arch for r in outcome.measured] == [n.name for n in grid.parts[0].networks]
    assert len(outcome.failed) == 2 and all("precision" in why for _, why in outcome.failed)
    log = (tmp_path / "time-test.log").read_text()
    assert "failed: regnety-tiny.dWr-x1.1, train, no-such-precision" in log and "Traceback" in log


def test_a_crash_of_the_process_costs_only_that_setting(tmp_path, monkeypatch):
    settings = [SETTING, Setting("inference", "32-true", "contiguous", False, 2)]
    grid = a_grid([NetworkName("regnety-tiny")], settings)
    sweep = Sweep(grid, tmp_path / "r.jsonl", "cpu", None, lambda line: None)
    sweep._reference = lambda: setattr(sweep, "reference_at", time.monotonic())
    monkeypatch.setattr(worker, "work", crash_in_training)
    outcome = sweep.run()
    assert [why for _, why in outcome.failed] == ["its process ended with exit code 139"]
    assert [r.run for r in outcome.measured] == ["regnety-tiny.inference"]


def test_a_setting_of_two_parts_is_measured_and_counted_once(tmp_path):
    said = []
    part = Part((NetworkName("regnety-tiny"),), (SETTING, replace(SETTING, layout="channels_last")))
    again = Part(part.networks, (SETTING, replace(SETTING, batch=1)), stage=2)
    grid = replace(a_grid(part.networks), parts=(part, again))
    for expected in ((3, 0), (0, 3)):
        sweep = Sweep(grid, tmp_path / "records.jsonl", "cpu", None, said.append)
        sweep._reference = lambda sweep=sweep: setattr(sweep, "reference_at", time.monotonic())
        outcome = sweep.run()
        assert (len(outcome.measured), outcome.before) == expected and sweep.total == 3
    assert any(line.startswith("[3/3]") for line in said)
    assert len(measured(tmp_path / "records.jsonl")) == 3


def test_a_sweep_stops_when_time_is_up(tmp_path):
    store, grid = tmp_path / "records.jsonl", a_grid(fast_networks(40), round_s=0.5)
    outcome = Sweep(grid, store, "cpu", 0.12, lambda line: None).run()
    assert outcome.left > 0 and len(outcome.measured) + outcome.left == 40
    references = [r.values for r in RecordStore(store).read() if r.run == "regnety-tiny.reference"]
    assert references[0]["drift_ratio"] == 1.0
    assert len(references) == (2 if outcome.measured else 1)
    if outcome.measured:
        first, last = (values["reference_step_time_s"] for values in references)
        assert outcome.drift == pytest.approx(last / first)
        assert outcome.drift == pytest.approx(references[1]["drift_ratio"])


def test_one_process_measures_network_after_network(tmp_path):
    """So that no process or import is paid for each network."""
    grid = a_grid(fast_networks(6), rounds=3, round_s=0.03)
    sweep = Sweep(grid, tmp_path / "records.jsonl", "cpu", None, lambda line: None)
    started = []
    crew = Crew._started
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crew, "_started", lambda self: started.append(1) or crew(self))
        outcome = sweep.run()
    assert len(outcome.measured) == 6 and started == [1]
    assert 0 < outcome.rounds_s < outcome.took_s
    rounds_s = sum(r.env["rounds_took_s"] for r in outcome.measured)
    assert outcome.rounds_s == pytest.approx(rounds_s, abs=1e-3)


def test_a_smaller_batch_answers_the_requested_one():
    import fastscale as fs
    from fastscale.records import Record, environment, network_fields

    env = environment(
        precision="32-true",
        layout="contiguous",
        compile=False,
        batch=1,
        threads=1,
        device="d",
        batch_asked=2,
        **CONDITIONS,
    )
    fields = network_fields(fs.arch("regnety-tiny"), 4)
    found = Record(
        kind="time",
        run="regnety-tiny.time",
        **fields,
        data="imagenet",
        values={"step_time_s": 1.0},
        env=env,
    )

    def answer(record, **options):
        grid = a_grid([NetworkName("regnety-tiny")], **options)
        return Done(grid, [record], "d", 1).record("regnety-tiny", SETTING)

    assert answer(found) == found
    # records measured in another way do not count
    named = replace(found, env={**env, "recipe": "imagenet-100ep"})
    for other in ({"rounds": 2}, {"images": 5}, {"recipe": "quick"}):
        assert answer(named, **other) is None
    older = replace(found, env={**env, "versions": {**env["versions"], "torch": "1.0"}})
    assert answer(older) is None


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "give networks, or --grid"),
        (["regnety-tiny", "--grid", "cpu"], "give networks, or --grid"),
        (["regnety-tiny", "--here"], "give networks, or --grid, or --here"),
        (["--grid", "cpu", "--cudnn", "search"], "--cudnn search: the grid sets that"),
        (["--grid", "no-such"], "known are"),
        (["--grid", "cpu", "--budget", "0"], "--budget: wanted a number from"),
        (
            ["--grid", "cpu", "--precision", "bf16-mixed"],
            "--precision bf16-mixed: the grid sets that",
        ),
        (["--grid", "cpu", "--batch", "4"], "--batch 4: the grid sets that"),
        (
            ["regnety-tiny", "--recipe", "quick", "--loader", "fashion-mnist", "--devices", "8"],
            "--devices 8: has no effect on the loader",
        ),
        (["--grid", "cpu", "--budget", "nan"], "--budget: wanted a number from"),
        (["regnety-tiny", "--budget", "3"], "--separate"),
        (["regnety-tiny", "--precision", "fp8"], "there are 32-true"),
        (["regnety-tiny", "--layout", "nhwc"], "there are contiguous"),
        (["regnety-tiny", "--what", "sleep"], "there are train, inference"),
        (["regnety-tiny", "--compile", "maybe"], "give off, on"),
        (["regnety-tiny", "regnetz-tiny", "--compile", "off,on"], "give --separate"),
        (["regnety-tiny", "--batch", "0"], "wanted a whole number from 1"),
        (["regnety-tiny", "--devices", "0"], "wanted a whole number from 1"),
        (
            ["regnety-tiny", "--recipe", "quick", "--round_s", "inf"],
            "--round-s: wanted a number from",
        ),
        (
            ["regnety-tiny", "--recipe", "quick", "--round_s", "nan"],
            "--round-s: wanted a number from",
        ),
        (
            ["regnety-tiny", "--recipe", "quick", "--loader", "fashion-mnist", "--round_s", "nan"],
            "--round-s: wanted a number from",
        ),
        (["regnety-tiny", "--separate", "--round_s", "inf"], "--round-s: wanted a number from"),
        (["--grid", "cpu", "--device", "cuda:77"], "GPU"),
        (["regnety-tiny", "--device", "cuda:77"], "GPU"),
        (["regnety-tiny", "--loader", "no-such-set", "--recipe", "quick"], "no-such-set"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(capsys, tmp_path, argv, message):
    assert main(["time", *argv, "--runs_dir", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert message in err and err.startswith("error: ") and err.count("\n") == 1


def test_timing_needs_no_data_or_training_package(tmp_path):
    """A machine with only torch, PyYAML and filelock can measure."""
    blocked = [
        "ffcv",
        "fvcore",
        "jsonargparse",
        "pytorch_lightning",
        "lightning",
        "torchmetrics",
        "tensorboard",
        "matplotlib",
        "cv2",
        "numba",
    ]
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {blocked!r}:\n"
        "            raise ModuleNotFoundError(f'{name} is blocked')\n"
        "sys.meta_path.insert(0, Block())\n"
    )
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    options = "--separate --what train,inference --batch 2 --rounds 1 --round_s 0.01"
    command = [sys.executable, "-m", "fastscale", "time", "regnety-tiny", *options.split()]
    command += ["--precision", "bf16-mixed", "--device", "cpu", "--runs_dir", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 measured" in done.stdout and len(measured(tmp_path / "records.jsonl")) == 2
    probe = subprocess.run(
        [sys.executable, "-c", "import cv2"], env=environment, capture_output=True, text=True
    )
    assert "is blocked" in probe.stderr
