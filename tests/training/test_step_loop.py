"""When a run's step is a graph, what is printed if not, and that a run may change between both."""

from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback, Trainer

from fastscale.errors import InputError
from fastscale.records import RecordStore
from fastscale.training import Recipe
from fastscale.training.captured import CapturedStep
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.step_loop import StepLoop, why_not
from tests.training.test_captured import RUN, same


class Looking(Callback):
    """A callback with a hook within the step."""

    def on_after_backward(self, trainer, pl_module):
        pass


def trainer_of(device="cpu", **changes):
    """The parts of a trainer that are read."""
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, barebones=True)
    trainer.strategy._root_device = torch.device(device)
    return SimpleNamespace(
        world_size=1,
        strategy=trainer.strategy,
        callbacks=[Callback()],
        precision="32-true",
        _detect_anomaly=False,
        is_global_zero=True,
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "recipe", "reason"),
    [
        ({}, {}, ""),
        ({"world_size": 2}, {}, "several processes"),
        ({}, {"drop_path": 0.1}, "drop path"),
        ({}, {"compile": True}, "compiled"),
        ({"precision": "64-true"}, {}, "precision 64-true"),
        ({"_detect_anomaly": True}, {}, "detect_anomaly"),
        ({"callbacks": [Callback(), Looking()]}, {}, "the callback Looking"),
    ],
)
def test_why_not(changes, recipe, reason, capsys):
    """On a GPU one line says why, or an error if a graph was asked for; on a CPU nothing does."""
    module = SimpleNamespace(recipe=Recipe(**recipe))
    loops = {}
    for device in ("cpu", "cuda"):
        trainer = trainer_of(device)
        vars(trainer).update(changes)
        why = why_not(trainer, module)
        assert reason in why and bool(reason) == bool(why)
        for mode in ("auto", "off") if reason else ("auto", "off", "on"):
            loops[device, mode] = StepLoop(trainer, module, mode)
        if reason:
            with pytest.raises(InputError, match=reason):
                StepLoop(trainer, module, "on")
    used = {key: loop.used for key, loop in loops.items()}
    expected = {("cpu", "auto"): None, ("cpu", "off"): None, ("cuda", "off"): "off"}
    if reason:
        expected[("cuda", "auto")] = "off"
    else:
        expected |= {("cuda", "auto"): "captured", ("cuda", "on"): "captured"}
        expected[("cpu", "on")] = "uncaptured"
    assert used == expected
    assert all(
        loop.captured == (loop.used in ("captured", "uncaptured")) for loop in loops.values()
    )
    out = capsys.readouterr().out
    assert out.count("\n") == bool(reason) and reason in out


class Killed(BaseException):
    pass


def test_a_run_may_resume_the_other_way(fit_here, tmp_path, monkeypatch, capsys):
    """The run ends like one that was never stopped.

    It is killed after step 7 with the graph's code. The next process runs out of memory for the
    graph, and the last one uses none.
    """

    def begin_part(self, batch_idx):
        if self.global_step == stop:
            raise Killed
        return original(self, batch_idx)

    original, stop = ImageClassifier.begin_part, -1
    monkeypatch.setattr(ImageClassifier, "begin_part", begin_part)
    assert fit_here(tmp_path / "whole") == 0
    options = ("--checkpoint_every", "0", "--cuda-graph")
    stop = 7
    with pytest.raises(Killed):
        fit_here(tmp_path / "cut", *options, "on")

    def prepare(self, images, labels):
        try:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        finally:  # what ends a recording hides why it ended
            raise RuntimeError("capture was broken off")

    stop = 11
    with monkeypatch.context() as patch:
        patch.setattr(CapturedStep, "prepare", prepare)
        assert fit_here(tmp_path / "cut", *options, "on") == 1
        assert "no graph of the step (too little memory for it)" in capsys.readouterr().err
        made = StepLoop.__init__

        def automatic(self, trainer, module, mode):
            made(self, trainer, module, "on")
            self.mode = "auto"

        patch.setattr(StepLoop, "__init__", automatic)
        with pytest.raises(Killed):
            fit_here(tmp_path / "cut", *options, "auto")
        said = [line for line in capsys.readouterr().out.splitlines() if "CUDA graph" in line]
        assert said == [
            "the step is launched eagerly, not as a CUDA graph: too little memory for it"
        ]
    stop = -1
    assert fit_here(tmp_path / "cut", "--cuda-graph", "off") == 0
    ends = [read_checkpoint(tmp_path / k / RUN / "seed0") for k in ("whole", "cut")]
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "train_loss", "errors"):
        assert same(ends[0][key], ends[1][key]), key
    assert RecordStore(tmp_path / "cut" / "records.jsonl").read()[0].values["train_loss"]


def test_a_graph_that_is_not_possible_is_one_line(fit_here, tmp_path, capsys):
    assert fit_here(tmp_path, "--cuda-graph", "on", drop_path=0.2) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "--cuda-graph on" in err and "drop path" in err
    assert fit_here(tmp_path, "--cuda-graph", "sometimes") == 2
    assert "invalid choice: 'sometimes'" in capsys.readouterr().err
