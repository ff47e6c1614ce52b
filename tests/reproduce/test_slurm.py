"""Jobs on a cluster: submitted, found again, requeued.

On a real one-node SLURM if it is installed, and with submitit's executor.
"""

import json
import subprocess
import sys
import threading
import time

import pytest

from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.reproduce import slurm, slurm_queue
from fastscale.reproduce.plan import needed
from fastscale.reproduce.slurm import Cluster
from fastscale.reproduce.slurm_options import parse_further, parse_minutes
from tests.waiting import soon

SUBMIT = ["--cluster", "slurm", "--gpus-per-run", "0"]


def test_dry_run_shows_what_would_be_submitted(small_artifact, data_home, tmp_path, capsys):
    small_artifact("made-up", (None, "wg"))
    options = [
        "--partition",
        "gpu",
        "--gpus-per-run",
        "16",
        "--time",
        "1-12",
        "--slurm",
        "account=vision",
        "--slurm",
        "nodes=2",
    ]
    command = [
        "reproduce",
        "made-up",
        "--dry-run",
        "--runs_dir",
        str(tmp_path / "runs"),
        "--cluster",
        "slurm",
        *options,
    ]
    assert main([*command, "--slurm", "reservation=night"]) == 0
    out = capsys.readouterr().out
    flags = {line.split()[1] for line in out.splitlines() if "#SBATCH" in line}
    assert flags == {
        "--partition=gpu", "--time=2160", "--account=vision", "--nodes=2", "--ntasks-per-node=8",
        "--gpus-per-node=8", "--requeue", "--reservation=night", "--job-name=NAME",
    }  # fmt: skip
    assert (
        out.count("srun fastscale fit --run regnety-tiny") == 2
        and "--trainer.devices 8 --trainer.num_nodes 2" in out
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([*SUBMIT, "--time", "soon"], "give a SLURM time"),
        ([*SUBMIT, "--slurm", "account"], "give KEY=VALUE"),
        ([*SUBMIT, "--slurm", "nodes=two"], "at least 1"),
        (["--cluster", "slurm", "--gpus-per-run", "-1"], "from 0 to"),
        (["--partition", "gpu"], "give --cluster slurm"),
    ],
)
def test_unusable_options(options, message, capsys, data_home):
    assert main(["reproduce", "quick", "--dry-run", *options]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_no_cluster_here(small_artifact, imagenet, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    small_artifact("made-up", (None,))
    assert main(["reproduce", "made-up", "--runs_dir", str(tmp_path / "runs"), *SUBMIT]) == 2
    assert "there is no sbatch here" in capsys.readouterr().err


def test_spellings():
    assert parse_minutes("30") == 30 and parse_minutes("2-0:30:01") == 2 * 1440 + 31
    assert parse_further(["cpus-per-task=8", "comment=a=b"]) == {
        "cpus_per_task": "8",
        "comment": "a=b",
    }


def test_jobs_of_submitits_executor(small_artifact, imagenet, tmp_path, capsys, monkeypatch):
    """Without a cluster: jobs are submitted, survive Ctrl-C, are found again and leave records."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(slurm_queue, "POLL", 0.2)
    artifact, runs_dir = small_artifact("made-up", (None,)), tmp_path / "runs"
    cluster = Cluster(0, 60, kind="local")
    todo = needed([artifact], "quick", runs_dir)
    with monkeypatch.context() as patch:
        patch.setattr(slurm, "watch", lambda kind, jobs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            cluster.train(todo, runs_dir)
    assert "submitted" in capsys.readouterr().out
    assert cluster.train(todo, runs_dir) == []
    out = capsys.readouterr().out
    assert "already in the queue" in out and "[1/1]" in out and "submitted" not in out
    assert todo[0].own is not None and not todo[0].missing


def test_reproduce_on_slurm(slurm, small_artifact, imagenet, tmp_path, capsys, monkeypatch):
    """Two jobs; one is pre-empted and requeued, and both end with records."""
    monkeypatch.setattr(slurm_queue, "POLL", 0.5)
    small_artifact("made-up", (None, "wg"))
    runs_dir = tmp_path / "runs"
    folder = runs_dir / "on-imagenet" / "regnety-tiny.quick" / "seed0" / "job"
    command = ["reproduce", "made-up", "--runs_dir", str(runs_dir), *SUBMIT, "--time", "30"]
    preempted = []

    def preempt():
        if soon(lambda: (folder / "job.json").is_file(), 120):
            job = json.loads((folder / "job.json").read_text())["job"]
            log = folder / f"{job}_0_log.out"
            if soon(lambda: log.is_file() and "Loading pickle" in log.read_text(), 120):
                time.sleep(1)
                subprocess.run(["scancel", "--signal=USR2", job], check=True)
                soon(lambda: (folder / f"{job}_0_log.out").read_text().count("Starting with") == 2)
                preempted.append(
                    (folder / f"{job}_0_log.out").read_text()
                    + (folder / f"{job}_0_log.err").read_text()
                )

    thread = threading.Thread(target=preempt)
    thread.start()
    code = main(command)
    thread.join()
    out, err = capsys.readouterr()
    assert code == 0, (out, err)
    assert "[2/2]" in out and "running" in out and preempted
    assert "this job is preempted" in preempted[0] and preempted[0].count("Starting with") == 2, (
        preempted
    )
    assert len(RecordStore(runs_dir / "on-imagenet" / "records.jsonl").read()) == 2
    assert small_artifact.drawn == [("made-up", {"regnety-tiny", "regnety-tiny.wg-x2"})]


def test_fit_under_srun_needs_nothing_extra(slurm, imagenet, tmp_path):
    """Two tasks are two processes of one run; only one of them prints."""
    fit = [
        sys.executable,
        "-m",
        "fastscale",
        "fit",
        "--run",
        "regnety-tiny.quick",
        "--runs_dir",
        str(tmp_path),
        "--data.source",
        "imagenet",
    ]
    options = [
        "--trainer.accelerator",
        "cpu",
        "--trainer.devices",
        "2",
        "--model.recipe.batch_size",
        "16",
    ]
    srun = ["srun", "--job-name=fit", "--nodes=1", "--ntasks-per-node=2", "--time=10"]
    done = subprocess.run([*srun, *fit, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.count("top1_error ") == 1, done.stderr
    (record,) = RecordStore(tmp_path / "records.jsonl").read()
    assert record.env["devices"] == 2 and record.data == "imagenet"
