"""A run that was stopped anywhere ends with the weights of one that was not, bit for bit.

The number of threads must be the same.
"""

import json
import os
import signal

import pytest
import torch

from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.run_checkpoint import RunCheckpoint

RUN = "regnety-tiny.wg-x2.quick"
STOPPED = 143


def weights(runs):
    return read_checkpoint(runs / RUN / "seed0")["state_dict"]


def same_end(one, other):
    """Whether weights, errors and loss are equal."""
    a, b = weights(one), weights(other)
    (r,), (s,) = (RecordStore(runs / "records.jsonl").read() for runs in (one, other))
    ends = [
        {k: v for k, v in record.values.items() if "error" in k or k == "train_loss"}
        for record in (r, s)
    ]
    return (
        a.keys() == b.keys()
        and all(torch.equal(a[k], b[k]) for k in a)
        and ends[0] == ends[1]
        and "train_loss" in ends[0]
    )


class Killed(BaseException):
    pass


@pytest.fixture
def end_at(monkeypatch):
    """end_at(step, end): calls `end` where that step starts."""

    def patch(step, end):
        def on_train_batch_start(self, batch, batch_idx):
            if self.global_step == step:
                end()

        monkeypatch.setattr(
            ImageClassifier, "on_train_batch_start", on_train_batch_start, raising=False
        )

    return patch


def killed():
    raise Killed


@pytest.mark.parametrize(
    ("loader", "changes"),
    [
        ("ffcv", {"lr_every": "epoch", "drop_path": 0.2}),
        ("plain", {"accumulate": 2, "lr_every": "step"}),
    ],
)
def test_stopped_within_an_epoch_and_at_its_end(fit_here, tmp_path, end_at, loader, changes):
    """After step 7 of 18, and again after step 18, when only the epoch's end was saved."""
    options = ["--data.loader", loader]
    end_at(-1, killed)
    assert fit_here(tmp_path / "whole", *options, **changes) == 0
    for step, every, saved in ((7, "0", 7), (20, "1000", 18)):
        end_at(step, killed)
        with pytest.raises(Killed):
            fit_here(tmp_path / "cut", *options, "--checkpoint_every", every, **changes)
        assert read_checkpoint(tmp_path / "cut" / RUN / "seed0")["global_step"] == saved
    end_at(-1, killed)
    assert fit_here(tmp_path / "cut", *options, **changes) == 0
    assert same_end(tmp_path / "whole", tmp_path / "cut")


def test_resumes_with_the_loader_that_it_began_with(fit_here, tmp_path, end_at, capsys):
    """On another machine, or in an earlier version, `auto` may have chosen another loader."""
    end_at(5, killed)
    with pytest.raises(Killed):
        fit_here(tmp_path, "--data.loader", "ffcv", "--checkpoint_every", "0", epochs=1)
    end_at(-1, killed)
    assert fit_here(tmp_path, "--data.loader", "resident", epochs=1) == 2
    assert "holds a run with other settings (loader)" in capsys.readouterr().err
    assert fit_here(tmp_path, epochs=1) == 0
    assert "resumes from its last checkpoint" in capsys.readouterr().out
    (record,) = RecordStore(tmp_path / "records.jsonl").read()
    assert record.env["loader"] == "ffcv"
    assert fit_here(tmp_path / "new", epochs=1) == 0
    (record,) = RecordStore(tmp_path / "new" / "records.jsonl").read()
    assert record.env["loader"] == "resident" and same_end(tmp_path, tmp_path / "new")


def test_terminated_saves_first(fit_here, tmp_path, end_at, capsys):
    """SIGTERM, as SLURM and `reproduce` send it: saves after the current step; the exit code says
    what happened."""
    assert fit_here(tmp_path / "whole", epochs=1) == 0
    end_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stop:
        fit_here(tmp_path / "cut", epochs=1)
    assert stop.value.code == STOPPED
    assert read_checkpoint(tmp_path / "cut" / RUN / "seed0")["global_step"] == 6
    end_at(-1, killed)
    assert fit_here(tmp_path / "cut", epochs=1) == 0
    assert "resumes from its last checkpoint, after step 6" in capsys.readouterr().out
    assert same_end(tmp_path / "whole", tmp_path / "cut")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_terminated_in_a_job_saves_and_continues(fit_here, tmp_path, end_at, monkeypatch):
    """submitit sends another signal later, which requeues the job."""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setattr("fastscale.training.run_checkpoint.SOONEST", 60)  # on a busy machine too
    saved = []
    monkeypatch.setattr(
        RunCheckpoint, "save", lambda self, trainer: saved.append(trainer.global_step)
    )
    end_at(5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert fit_here(tmp_path) == 0 and saved == [1, 6, 18, 36]


def test_terminated_in_the_last_step_of_an_epoch(fit_here, tmp_path, end_at):
    end_at(17, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        fit_here(tmp_path)
    assert read_checkpoint(tmp_path / RUN / "seed0")["global_step"] == 18


@pytest.mark.slow
def test_killed(fit_here, fit_process, tmp_path):
    """kill -9: the files that are there are complete."""
    assert fit_here(tmp_path / "whole") == 0
    cut = fit_process(
        tmp_path / "cut", "--checkpoint_every", "0", environment={"TEST_KILL": "0:25:SIGKILL"}
    )
    assert (
        cut.returncode == -signal.SIGKILL
        and read_checkpoint(tmp_path / "cut" / RUN / "seed0")["global_step"] == 25
    )
    assert fit_here(tmp_path / "cut") == 0
    assert same_end(tmp_path / "whole", tmp_path / "cut")


def test_the_saved_config_starts_the_run_again(fit_here, tmp_path):
    """config.yaml holds all settings of the run; an option after --config overrides one."""
    assert fit_here(tmp_path / "first") == 0
    config = str(tmp_path / "first" / RUN / "seed0" / "config.yaml")
    assert main(["fit", "--config", config, "--runs_dir", str(tmp_path / "again")]) == 0
    assert (
        main(
            [
                "fit",
                "--config",
                config,
                "--runs_dir",
                str(tmp_path / "other"),
                "--model.recipe.lr",
                "0.02",
            ]
        )
        == 0
    )
    assert same_end(tmp_path / "first", tmp_path / "again")
    settings = [
        json.loads((tmp_path / k / RUN / "seed0" / "settings.json").read_text())
        for k in ("first", "other")
    ]
    assert settings[0].pop("recipe")["lr"] == 0.05 and settings[1].pop("recipe")["lr"] == 0.02
    assert settings[0] == settings[1]
