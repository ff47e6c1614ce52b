"""Missing runs on this machine, the drawing afterwards, and the smoke tier."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.reproduce import drawing, local
from fastscale.reproduce.plan import needed

ROOT = Path(__file__).parents[2]


def test_two_artifacts_share_runs_and_a_failure_stops_no_other(
    small_artifact, imagenet, tmp_path, capsys
):
    """Three networks for two artifacts, in separate processes.

    The folder of one holds another run: it fails and is named with its log, the others are drawn,
    and the exit code is 1. Once all have records, the same command trains nothing.
    """
    small_artifact("one", (None, "wg"))
    small_artifact("other", ("wg", "d"))
    folder = tmp_path / "runs" / "on-imagenet"
    taken = folder / "regnety-tiny.d-x2.quick" / "seed0"
    taken.mkdir(parents=True)
    (taken / "settings.json").write_text('{"recipe": {"lr": 7}}')
    command = ["reproduce", "one", "other", "--runs_dir", str(tmp_path / "runs")]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert "failed" in out and "[3/3]" in out and err.count("\n") == 1
    assert (
        "regnety-tiny.d-x2.quick, seed 0" in err
        and "other settings" in out
        and "other settings" not in err
        and str(taken / "fit.log") in err
    )
    drawn = {"one": {"regnety-tiny", "regnety-tiny.wg-x2"}, "other": {"regnety-tiny.wg-x2"}}
    assert (
        small_artifact.drawn == list(drawn.items())
        and len(RecordStore(folder / "records.jsonl").read()) == 2
    )
    record = json.loads((folder / "regnety-tiny.quick" / "seed0" / "record.json").read_text())
    assert (record["seed"], record["data"], record["env"]["threads"]) == (0, "imagenet", 1)
    own = {**record, "run": "regnety-tiny.d-x2.quick"}  # another run's would not count
    (taken / "record.json").write_text(json.dumps(own))
    assert main(command) == 0
    assert "3 runs: 3 finished in" in capsys.readouterr().out


def test_no_run_starts_after_the_budget(small_artifact, tmp_path, monkeypatch, capsys):
    """Running ones finish; waiting ones are left, which is not a failure."""
    todo = needed([small_artifact("one", (None, "wg", "d"))], "quick", tmp_path)
    clock = iter(range(0, 100_000, 40))
    monkeypatch.setattr(local.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(local.time, "sleep", lambda seconds: None)
    started = []

    def start(job, threads, devices=1):
        started.append(job.run.label)
        job.process = subprocess.Popen(["true"])
        job.process.wait()
        return job

    monkeypatch.setattr(local, "start", start)
    monkeypatch.setattr(local, "outcome", lambda job: setattr(job, "took", 1.0) or "made")
    assert local.train(todo, jobs=1, budget=1) == []
    assert (
        started == [todo[0].label]
        and "the budget of 1 minutes is spent: 2 runs are left" in capsys.readouterr().out
    )


def test_the_time_left_counts_partly_finished_runs(small_artifact, tmp_path):
    """Of two equal runs, one is half done after 10 s: it needs 10 s more, the waiting one 20 s."""
    run, other = needed([small_artifact("one", (None,), seeds=(0, 1))], "quick", tmp_path)
    run.folder.path.mkdir(parents=True)
    (run.folder.path / "progress.json").write_text('{"step": 50, "steps": 100}')
    going = local.Job(run, began=0.0)
    assert local.time_left([], [going], [local.Job(other)], now=10.0, slots=1) == "about 30 s left"
    assert local.time_left([], [going], [local.Job(other)], now=10.0, slots=2) == "about 15 s left"
    # nothing is known yet
    assert local.time_left([], [local.Job(other, began=9.0)], [], now=10.0, slots=1) == ""
    assert local.time_left([going], [], [], now=10.0, slots=1) == "done"


def test_stopping_lets_runs_save(small_artifact, tmp_path):
    """SIGTERM first, and time to react to it."""
    (run,) = needed([small_artifact("one", (None,))], "quick", tmp_path)
    code = f"trap 'echo saved > {tmp_path}/saved; exit 143' TERM; echo ready > {tmp_path}/ready; "
    code += "while :; do sleep 0.05; done"
    job = local.Job(run, subprocess.Popen(["bash", "-c", code]))
    while not (tmp_path / "ready").exists():
        pass
    local.stop([job])
    assert job.process.returncode == 143 and (tmp_path / "saved").read_text() == "saved\n"


def test_one_at_a_time(tmp_path, capsys, data_home, small_artifact, imagenet):
    small_artifact("one", (None,))
    (tmp_path / "runs").mkdir()
    with FileLock(tmp_path / "runs" / ".reproduce.lock"):
        assert main(["reproduce", "one", "--runs_dir", str(tmp_path / "runs")]) == 2
    assert "another reproduce uses" in capsys.readouterr().err


@pytest.mark.parametrize("fails", [False, True])
def test_networks_are_timed_once_for_each_plan(
    small_artifact, imagenet, tmp_path, capsys, monkeypatch, fails
):
    """Two artifacts with one plan are timed once, and again while times are missing.

    A failed timing gives exit code 1.
    """
    asked = []
    monkeypatch.setattr(
        drawing, "measure", lambda plan, runs_dir: asked.append(plan.recipe) or not fails
    )
    monkeypatch.setattr(
        local, "train", lambda todo, jobs, devices, budget: [finish(run) for run in todo] and []
    )
    records = RecordStore(ROOT / "paper_figures" / "records" / "quick.jsonl").read()
    record = next(r for r in records if r.kind == "train" and r.run == "regnety-tiny.quick")

    def finish(run):
        run.folder.path.mkdir(parents=True)
        run.folder.finish(record)

    for name in ("one", "other"):
        small_artifact(name, (None,), timings=True, data="imagenet")
    monkeypatch.setattr(drawing, "records_of", lambda *a: [record])
    assert main(["reproduce", "one", "other", "--runs_dir", str(tmp_path / "runs")]) == int(fails)
    assert asked == ["quick"]
    assert ("could not be timed" in capsys.readouterr().err) is fails


def test_smoke_passes_and_notices_a_changed_number(tmp_path):
    """In a process that must not import torch: drawing Fig. 3's blocks starts another."""
    code = "import sys\nfrom fastscale.cli import main\n"
    code += (
        "code = main(['reproduce', '--tier', 'smoke'])\nsys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "all counts, tables and figures match" in done.stdout, (
        done.stdout + done.stderr
    )
    (tmp_path / "configs" / "artifacts").mkdir(parents=True)
    shutil.copy(
        ROOT / "configs" / "artifacts" / "published-counts.yaml", tmp_path / "configs" / "artifacts"
    )
    shutil.copytree(ROOT / "paper_figures" / "reference", tmp_path / "paper_figures" / "reference")
    from fastscale.home import using_home
    from fastscale.paper.smoke import regenerate, smoke

    with using_home(tmp_path):
        regenerate()
        table = tmp_path / "paper_figures" / "tables" / "zoo-counts.csv"
        text = table.read_text()
        assert "4089185256" in text
        table.write_text(text.replace("4089185256", "4089185257", 1))
        (difference,) = smoke()
        assert "zoo-counts.csv" in difference
        reference = tmp_path / "paper_figures" / "reference" / "pycls_zoo.csv"
        reference.write_text(reference.read_text().replace("4089185256", "4089185257", 1))
        assert any("zoo-counts, ResNet-50" in d and "difference" in d for d in smoke())


def test_other_kinds_than_comparisons_are_drawn_without_a_comparisons_tables(
    small_artifact, monkeypatch
):
    """`paper` keeps the records and draws; the output names the pictures."""
    record = next(
        r
        for r in RecordStore(ROOT / "paper_figures" / "records" / "quick.jsonl").read()
        if r.kind == "train"
    )
    kept = []
    monkeypatch.undo()
    monkeypatch.setattr(
        drawing,
        "draw_artifact",
        lambda artifact, tier, records: kept.append(records) or [ROOT / "paper_figures" / "x.png"],
    )
    figure = small_artifact("one", (None,)).model_copy(update={"kind": "figure"})
    drawing.draw(figure, "quick", [record])
    assert kept == [[record]]


def test_theory_artifacts_print_their_table(capsys, monkeypatch):
    monkeypatch.setattr(
        drawing, "regenerate", lambda names: [ROOT / "paper_figures" / "tables" / "table-4.md"]
    )
    assert main(["reproduce", "table-4"]) == 0
    assert "multiply-adds" in capsys.readouterr().out
