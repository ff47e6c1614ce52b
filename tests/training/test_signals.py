"""Ctrl-C and SIGTERM at any moment: the run is saved, one line says how to resume, 130 or 143."""

import os
import signal

import pytest
import torch

from fastscale.errors import InputError
from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.stopping import Stopped, Stopping
from fastscale.training.variables import check_variables

RUN = "regnety-tiny.wg-x2.quick"


@pytest.fixture
def send_in(monkeypatch):
    """send_in(hook, number, times): sends the signal in a hook's first `times` calls."""

    def patch(hook, number, times=1):
        original, left = getattr(ImageClassifier, hook), [times]

        def call(self, *args):
            if left[0]:
                left[0] -= 1
                os.kill(os.getpid(), number)
            return original(self, *args)

        monkeypatch.setattr(ImageClassifier, hook, call)

    return patch


@pytest.mark.slow
def test_stopped_anywhere_ends_as_if_it_were_not(fit_here, tmp_path, send_in, capsys):
    """In a step, and in the validation of each epoch, with precise statistics half computed."""
    before = signal.getsignal(signal.SIGINT)  # a job in the background ignores it
    assert fit_here(tmp_path / "whole", precise_bn=32) == 0
    moments = [
        ("training_step", signal.SIGINT, 130, 1),
        ("validation_step", signal.SIGTERM, 143, 18),
        ("normalise", signal.SIGINT, 130, 18),
        ("on_validation_epoch_end", signal.SIGINT, 130, 18),
    ]
    for hook, number, code, step in moments:
        send_in(hook, number)
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            fit_here(tmp_path / "cut", precise_bn=32)
        (line,) = capsys.readouterr().err.splitlines()
        assert stop.value.code == code and f"saved after step {step}; the same command" in line
        assert read_checkpoint(tmp_path / "cut" / RUN / "seed0")["global_step"] == step
    assert fit_here(tmp_path / "cut", precise_bn=32) == 0
    a, b = (read_checkpoint(tmp_path / k / RUN / "seed0") for k in ("whole", "cut"))
    assert all(torch.equal(v, b["state_dict"][k]) for k, v in a["state_dict"].items())
    assert a["errors"] == b["errors"] and a["epoch_loss"] == b["epoch_loss"]
    assert len(RecordStore(tmp_path / "cut" / "records.jsonl").read()) == 1
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_before_the_first_step_nothing_is_begun(fit_here, tmp_path, send_in, capsys):
    send_in("configure_optimizers", signal.SIGINT)
    with pytest.raises(SystemExit) as stop:
        fit_here(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 130 and "before the first step" in line
    assert not (tmp_path / RUN / "seed0" / "last.ckpt").exists()


@pytest.mark.slow
def test_killed_after_the_first_step_loses_no_more(fit_process, tmp_path):
    killed = fit_process(tmp_path, environment={"TEST_KILL": "0:1:SIGKILL"})
    assert killed.returncode == -signal.SIGKILL
    assert read_checkpoint(tmp_path / RUN / "seed0")["global_step"] == 1


def test_a_signal_is_noted_in_steps_and_raised_elsewhere(monkeypatch):
    stopping = Stopping()
    with pytest.raises(Stopped):
        stopping.take(signal.SIGTERM)
    stopping = Stopping()
    stopping.patient = True
    stopping.take(signal.SIGINT)
    with pytest.raises(Stopped) as second:
        stopping.take(signal.SIGINT)
    assert second.value.code == 130
    saving = Stopping()
    saving.patient = saving.saving = True
    saving.take(signal.SIGTERM)
    saving.take(signal.SIGINT)
    assert saving.came == signal.SIGTERM
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    announced = Stopping()
    announced.take(signal.SIGTERM)
    assert announced.came and not announced.asked


@pytest.mark.parametrize(
    "name", ["RANK", "LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "SLURM_PROCID", "MASTER_PORT"]
)
@pytest.mark.parametrize("text", ["abc", "-1", "", "1.5", "nan", "1e300", "9" * 500])
def test_variables_that_are_no_numbers(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(InputError, match=f"environment variable {name}: wanted a whole number"):
        check_variables()


def test_a_rank_that_no_launcher_gave(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(InputError, match="no launcher started this process"):
        check_variables()
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(InputError, match="no such rank"):
        check_variables()


def test_what_a_stop_breaks_does_not_hide_it():
    """A signal while workers are being started: their start then fails with another error."""
    from fastscale.training.ending import stop_first

    stopping = Stopping()
    with pytest.raises(ConnectionResetError), stop_first(stopping):
        raise ConnectionResetError("nobody asked")
    with pytest.raises(Stopped) as stop, stop_first(stopping):
        try:
            stopping.take(signal.SIGTERM)
        except Stopped:
            raise ConnectionResetError("a worker that was being started") from None
    assert stop.value.code == 143
