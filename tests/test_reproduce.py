"""`fastscale reproduce`: plans, trains what is missing, goes on when one run fails, draws; and the smoke tier notices a changed number."""

import json
import shutil
from pathlib import Path

from fastscale import reproduce as module
from fastscale.cli import main
from fastscale.paper.artifacts import Artifact, Plan, Series
from fastscale.records import RecordStore

ROOT = Path(__file__).parents[1]


def plan_of(source, strategies, seeds=(0,)):
    plan = Plan((Series("regnety-tiny", strategies, (2.0,)),), "quick", source, tuple(seeds), timings=False)
    return Artifact("made-up", "made-up comparison", "comparison", "nothing", ("made-up/comparison",), tiers={"quick": plan})


def test_runs_are_planned_once_each(tmp_path):
    plan = plan_of("x", (None, "wg", "dWr"), (0, 1)).plan()
    jobs = module.plan_jobs(plan, tmp_path)
    assert [(j.spec.arch, j.spec.seed) for j in jobs[:3]] == [("regnety-tiny", 0), ("regnety-tiny.wg-x2", 0), ("regnety-tiny.dWr-x2", 0)]
    assert len(jobs) == 6 and jobs[1].work > jobs[0].work > 0


def test_dry_run_changes_nothing(tmp_path, capsys, data_home):
    assert main(["reproduce", "quick", "--dry-run", "--runs_dir", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert "12 runs (0 finished" in out and out.count("to run:") == 12
    assert not (tmp_path / "runs").exists() and not data_home.exists()


def test_a_failed_run_stops_no_other(tmp_path, capsys, data_home):
    """No data: every run fails, each says why, and the log is named."""
    plan = plan_of("no-such-set", (None, "wg")).plan()
    failed = module.train(module.plan_jobs(plan, tmp_path), jobs=2)
    out = capsys.readouterr().out
    assert len(failed) == 2 and "[2/2]" in out
    assert all("no-such-set" in job.problem and job.log.is_file() for job in failed)


def test_smoke_passes_and_notices_a_changed_number(tmp_path, capsys):
    assert main(["reproduce", "--tier", "smoke"]) == 0
    assert "every count agrees" in capsys.readouterr().out
    (tmp_path / "configs" / "artifacts").mkdir(parents=True)
    shutil.copy(ROOT / "configs" / "artifacts" / "published-counts.yaml", tmp_path / "configs" / "artifacts")
    shutil.copytree(ROOT / "paper_figures" / "reference", tmp_path / "paper_figures" / "reference")
    from fastscale.paper import regenerate, smoke

    regenerate(tmp_path)
    table = tmp_path / "paper_figures" / "tables" / "zoo-counts.csv"
    text = table.read_text()
    assert "4089185256" in text
    table.write_text(text.replace("4089185256", "4089185257", 1))
    (difference,) = smoke(root=tmp_path)
    assert "zoo-counts.csv" in difference
    reference = tmp_path / "paper_figures" / "reference" / "pycls_zoo.csv"
    reference.write_text(reference.read_text().replace("4089185256", "4089185257", 1))
    assert any("zoo-counts, ResNet-50" in d and "difference" in d for d in smoke(root=tmp_path))


def test_theory_artifacts_print_their_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "regenerate", lambda names: [ROOT / "paper_figures" / "tables" / "table-4.md"])
    assert main(["reproduce", "table-4"]) == 0
    assert "multiply-adds" in capsys.readouterr().out


def test_one_at_a_time_and_at_least_one_job(tmp_path, capsys, data_home):
    from filelock import FileLock

    assert main(["reproduce", "quick", "--jobs", "-1", "--runs_dir", str(tmp_path)]) == 2
    assert "--jobs must be at least 1" in capsys.readouterr().err
    with FileLock(tmp_path / ".reproduce.lock"):
        assert main(["reproduce", "quick", "--runs_dir", str(tmp_path)]) == 2
    assert "another reproduce is at work" in capsys.readouterr().err


def test_a_whole_comparison(image_folder, data_home, tmp_path, capsys, monkeypatch):
    """Two networks on made images: trained by processes of their own, then again without training anything."""
    shutil.copytree(image_folder, data_home / "imagenet")
    declared, drawn = plan_of("imagenet", (None, "wg")), []
    monkeypatch.setattr(module, "load_artifact", lambda name: declared)
    monkeypatch.setattr(module, "snapshot", lambda name: tmp_path / "snapshot.jsonl")
    monkeypatch.setattr(module, "draw", lambda artifact, tier, records: drawn.append({r.arch for r in records}))
    command = ["reproduce", "made-up", "--runs_dir", str(tmp_path / "runs")]
    assert main(command) == 0, capsys.readouterr()
    assert "[2/2]" in capsys.readouterr().out
    record = json.loads((tmp_path / "runs" / "regnety-tiny.quick" / "seed0" / "record.json").read_text())
    assert (record["seed"], record["data"], record["env"]["threads"]) == (0, "imagenet", 1)
    assert main(command) == 0
    assert "(2 finished" in capsys.readouterr().out
    assert drawn == [{"regnety-tiny", "regnety-tiny.wg-x2"}] * 2 and len(RecordStore(tmp_path / "runs" / "records.jsonl").read()) == 2
