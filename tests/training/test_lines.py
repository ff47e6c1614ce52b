"""The lines that a run prints, and its progress bar."""

import io
import os
import re
import signal
import sys
from types import SimpleNamespace

import pytest
import torch

from fastscale.cli import main
from fastscale.training.bar import Bar
from fastscale.training.lines import Lines, describe_errors


class Speed(SimpleNamespace):
    """A SpeedMonitor at some moment."""

    lost = 0.0

    def sums(self):
        return self.now


def trainer(**more):
    about = {
        "max_epochs": 10,
        "current_epoch": 0,
        "num_training_batches": 100,
        "num_val_batches": [40],
        "check_val_every_n_epoch": 2,
        "is_global_zero": True,
        "progress_bar_callback": None,
    }
    return SimpleNamespace(**{**about, **more})


def test_a_run_says_what_it_does_and_where_everything_lies(fit_here, tmp_path, capsys):
    runs = tmp_path / "runs"
    assert fit_here(runs) == 0
    said = capsys.readouterr().out
    folder = runs / "regnety-tiny.wg-x2.quick/seed0"
    assert re.search(
        r"regnety-tiny\.wg-x2 \(2\.18 M multiply-adds, [\d.]+ K params, 32 px\) on colours-\w+ "
        r"\(144 training and 21 validation images, 3 classes\)\n"
        r"quick: 2 epochs of 18 steps of 8 images, 32-true, on the CPU, 1 thread; saved in "
        + re.escape(str(folder)),
        said,
    ), said
    epochs = re.findall(r"epoch (\d)/2: loss [\d.]+, top-1 error ([\d.]+) % \(averaged", said)
    assert [epoch for epoch, _ in epochs] == ["1", "2"]
    assert re.search(rf"seed 0: top1_error {epochs[1][1]} %", said)
    assert len(re.findall(r"; .* to go", said)) == 1, "after the first epoch, not after the last"
    for verb in ("evaluate", "predict PICTURE --checkpoint", "export"):
        assert f"fastscale {verb} {folder}" in said
    # a run that was killed before anything was saved
    for name in ("last.ckpt", "record.json"):
        (folder / name).unlink()
    assert fit_here(runs) == 0
    assert "begun before without a checkpoint: starts from the first" in capsys.readouterr().out


@pytest.mark.parametrize(("averaged", "said"), [(0.0, "35 min 11 s"), (1.0, "37 min 25 s")])
def test_the_time_of_a_run_is_estimated_from_its_steps(averaged, said, capsys):
    """989 steps of 2 s are left, and 5 validations of 40 batches at a third of a step each.

    Validation takes twice that if averaged weights are validated too.
    """
    lines, module = Lines(Speed()), SimpleNamespace(recipe=SimpleNamespace(ema_rate=averaged))
    lines.steps = 10
    lines.tell(trainer(), module, step=2.0, batches=11)
    out = capsys.readouterr().out
    assert out == f"about {said} to go: 2000 ms a step in the first 10\n" and lines.told


def test_one_process_of_several_speaks(capsys):
    lines, module = Lines(Speed()), SimpleNamespace(recipe=SimpleNamespace(ema_rate=0.0))
    lines.steps = 10
    lines.tell(trainer(is_global_zero=False), module, 2.0, 11)
    assert capsys.readouterr().out == ""


def test_a_signal_while_modules_are_imported(monkeypatch, capsys):
    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("fastscale.training.variables.check_variables", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["fit", "regnety-tiny.quick"])
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert said == "ended by SIGINT; nothing was started; run the command again\n"


def test_errors_in_words():
    assert describe_errors({"top1_error": 12.5}) == "top-1 error 12.50 %"
    both = {"top1_error": 12.5, "top5_error": 1, "top1_error_ema": 11.25, "top5_error_ema": 2}
    assert describe_errors(both) == (
        "top-1 error 12.50 % (averaged weights 11.25 %), top-5 error 1.00 % "
        "(averaged weights 2.00 %)"
    )


GPU = {"seconds": 11.0, "busy": 10.0, "waited": 2.0, "images": 5000, "device": 9.0}
CPU = {k: v for k, v in GPU.items() if k != "device"}
AWAY = torch.empty((), device="meta")  # a value that cannot be read here


@pytest.mark.parametrize(
    ("now", "loss", "read", "said"),
    [
        (CPU, torch.tensor(1.5), None, ["500 images/s", "loss 3.000", "waits for data 20 %"]),
        # a loss on the device is not read, which would wait: the last one that was read is shown
        (GPU, AWAY, 1.25, ["500 images/s", "loss 1.250", "device busy 90 %"]),
        (GPU, AWAY, None, ["500 images/s", "device busy 90 %"]),
        ({**CPU, "busy": 0.0}, torch.tensor(1.5), None, ["loss 3.000"]),
    ],
)
def test_the_bar_shows_rate_loss_and_who_waits(now, loss, read, said):
    module = SimpleNamespace(recipe=SimpleNamespace(accumulate=2), read_loss=read)
    assert Bar(Speed(now=now)).figures(module, {"loss": loss}) == said


def test_a_bar_for_each_epoch_that_leaves_no_trace(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    bar, module = Bar(Speed(now=CPU)), SimpleNamespace(recipe=SimpleNamespace(accumulate=1))
    run = trainer(num_training_batches=3, sanity_checking=False)
    bar.on_train_epoch_start(run, module)
    for k in range(3):
        bar.bar.mininterval = 0
        bar.on_train_batch_end(run, module, {"loss": torch.tensor(0.5)}, None, k)
    bar.on_validation_start(run, module)
    bar.on_train_epoch_end(run, module)
    shown = screen.getvalue()
    assert "epoch 1/10:   0 %" in shown and "2/3 [" in shown and "500 images/s, loss 0.500" in shown
    assert "epoch 1/10, validation" in shown and shown.endswith("\r") and bar.bar is None


def test_other_processes_draw_no_bar():
    bar = Bar(Speed(now=CPU))
    bar.disable()
    bar.on_train_epoch_start(trainer(), None)
    assert bar.bar is None
