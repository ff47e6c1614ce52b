"""Accumulated steps, averaged weights, learning rates and clocks, each checked independently."""

import copy
import time
from itertools import pairwise

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fastscale.records import RecordStore
from fastscale.training import Recipe
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.ema import ema_weight, update_ema
from fastscale.training.run_checkpoint import RunCheckpoint
from fastscale.training.schedule import lr_multiplier

pytestmark = pytest.mark.slow
RUN = "regnety-tiny.wg-x2.quick"


def content(runs):
    return read_checkpoint(runs / RUN / "seed0")


def test_accumulation_makes_the_same_steps(fit_here, tmp_path, monkeypatch):
    """144 images in batches of 40 leave 24, and one part of 20 is not a step.

    Batch norm is frozen: its statistics are of a part of the batch, which accumulation cannot undo.
    """
    original = ImageClassifier.training_step

    def training_step(self, batch, batch_idx):
        for module in self.net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        return original(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", training_step)
    recipe = {"batch_size": 40, "mixup": 0, "lr_every": "step", "ema_every": 2}
    for parts in (1, 2, 4):
        assert fit_here(tmp_path / str(parts), accumulate=parts, **recipe) == 0
    one, *others = (content(tmp_path / str(parts)) for parts in (1, 2, 4))
    for other in others:
        assert other["global_step"] == one["global_step"] == 2 * 3
        for name, value in one["state_dict"].items():
            if value.is_floating_point():
                torch.testing.assert_close(other["state_dict"][name], value, rtol=1e-4, atol=1e-5)
    losses = [
        RecordStore(tmp_path / str(parts) / "records.jsonl").read()[0].values["train_loss"]
        for parts in (1, 2, 4)
    ]
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=1e-4)


@pytest.mark.parametrize("parts", [1, 2])
def test_the_average_is_the_authors(fit_here, tmp_path, monkeypatch, parts):
    """After the first step of an epoch and every third from there; a copy during warm-up."""
    original, seen = ImageClassifier.optimizer_step, []

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        before = copy.deepcopy(self.ema)
        original(self, epoch, batch_idx, optimizer, optimizer_closure)
        if len(seen) % 12 % 3 == 0:  # 144 images in batches of 12: 12 steps an epoch
            update_ema(before, self.net, ema_weight(self.recipe, epoch))
        mine, theirs = self.ema.state_dict(), before.state_dict()
        seen.append(all(torch.equal(mine[k], theirs[k]) for k in mine))

    monkeypatch.setattr(ImageClassifier, "optimizer_step", optimizer_step)
    recipe = {"batch_size": 12, "accumulate": parts, "ema_every": 3, "ema_rate": 0.01}
    assert fit_here(tmp_path, warmup_epochs=1, **recipe) == 0
    assert seen == [True] * 24
    made = Recipe(batch_size=12, epochs=2, warmup_epochs=1, ema_rate=0.01, ema_every=3)
    assert ema_weight(made, 1) < 1


def test_few_steps_move_the_average(fit_here, tmp_path):
    """24 steps in all, fewer than ema_every: the averaged weights are not the initial ones."""
    assert fit_here(tmp_path, batch_size=12, ema_every=32) == 0
    state = content(tmp_path)["state_dict"]
    assert not torch.equal(state["ema.stem.norm.running_var"], torch.ones(16))
    assert content(tmp_path)["global_step"] == 24


def test_the_logged_rate_is_the_steps_own(fit_here, tmp_path):
    options = ["--trainer.log_every_n_steps", "5"]
    assert fit_here(tmp_path, *options, lr_every="step", warmup_epochs=0, lr=0.05) == 0
    board = EventAccumulator(str(tmp_path / RUN / "seed0")).Reload()
    loaded = Recipe.from_dict(content(tmp_path)["hyper_parameters"]["recipe"])
    found = {e.step: e.value for e in board.Scalars("learning_rate")}
    for step in (5, 10, 20, 30):  # the step's number, counted from 1, is that of the log
        right = 0.05 * lr_multiplier(loaded, (step - 1) / 18)
        assert found[step] == pytest.approx(right, rel=1e-5)


def test_clocks_are_of_training_batches(fit_here, tmp_path, monkeypatch):
    """Compared with another clock; validation, precise statistics and saving are made slow."""
    train, own = ImageClassifier.training_step, []
    validate, save = ImageClassifier.validation_step, RunCheckpoint.save
    started = ImageClassifier.on_validation_start

    def training_step(self, batch, batch_idx):
        own.append(time.perf_counter())
        return train(self, batch, batch_idx)

    def slowly(function, seconds):
        def slow(*args):
            time.sleep(seconds)
            return function(*args)

        return slow

    monkeypatch.setattr(ImageClassifier, "training_step", training_step)
    monkeypatch.setattr(ImageClassifier, "validation_step", slowly(validate, 1.0))
    monkeypatch.setattr(ImageClassifier, "on_validation_start", slowly(started, 1.0))
    monkeypatch.setattr(RunCheckpoint, "save", slowly(save, 1.0))
    monkeypatch.setattr(RunCheckpoint, "due", lambda self: not self.saved_here)
    options = ["--data.eval_batch_size", "8", "--trainer.val_check_interval", "0.5"]
    assert fit_here(tmp_path, *options, precise_bn=16) == 0
    (record,) = RecordStore(tmp_path / "records.jsonl").read()
    steps = [b - a for a, b in pairwise(own)]
    # between two steps of a half epoch, except after the very first step, when it is saved
    inside = [s for i, s in enumerate(steps) if (i + 1) % 9 and i]
    mean = sum(inside) / len(inside)
    values = record.values
    assert values["images_per_s"] == pytest.approx(8 / mean, rel=0.5)
    assert values["epoch_time_s"] < 18 * mean * 2 + 1.0
    assert values["data_wait_share"] < 0.6
