"""Timing measures a training step, and the record says under which conditions."""

from dataclasses import replace

import pytest
import torch

import fastscale as fs
from fastscale.errors import InputError
from fastscale.timing.clock import spread
from fastscale.timing.epoch import time_epochs
from fastscale.timing.interleaved import time_steps
from fastscale.timing.step import TrainingStep
from fastscale.training import Recipe

RECIPE = Recipe(name="t", data="none", epochs=1, batch_size=8, precision="32-true", warmup_epochs=0)


def test_a_step_trains():
    torch.manual_seed(0)
    step = TrainingStep(fs.arch("regnety-tiny"), RECIPE, batch=8, num_classes=4, device="cpu")
    before = step.net.head.fc.weight.detach().clone()
    found = step.round(2)
    assert min(found.values()) > 0 and found["step_time_s"] == pytest.approx(
        sum(found[part] for part in step.parts), rel=0.05
    )
    assert not torch.equal(before, step.net.head.fc.weight)


def test_networks_are_measured_interleaved(monkeypatch):
    turns = []
    original = TrainingStep.round

    def one_round(self, steps):
        turns.append(self.images.shape[-1])
        return original(self, steps)

    monkeypatch.setattr(TrainingStep, "round", one_round)
    monkeypatch.setattr("fastscale.timing.rounds.disturbed", lambda *rounds: None)
    done = []
    archs = [fs.arch("regnety-tiny"), fs.arch("regnety-tiny.dWr-x4")]
    found = time_steps(
        archs,
        RECIPE,
        batch=2,
        num_classes=4,
        rounds=3,
        round_s=0.001,
        progress=lambda i, n: done.append((i, n)),
    )
    assert turns == [32, 32, 36, 36] + [32, 36] * 3  # two steps of warm-up, then interleaved
    assert list(found) == [a.name for a in archs] and done[-1] == (8, 8)
    assert all(len(t.eager.seconds) == 3 and t.median_s > 0 for t in found.values())


@pytest.fixture
def compiled(monkeypatch):
    """For each graph that torch compiled, whether its shapes are dynamic.

    Its backend does nothing, and torch keeps two graphs a function.
    """
    graphs = []

    def backend(module, inputs):
        graphs.append(
            any(
                isinstance(size, torch.SymInt)
                for value in inputs
                if isinstance(value, torch.Tensor)
                for size in value.shape
            )
        )
        return module.forward

    original = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module,
        "compile",
        lambda self, **options: original(self, backend=backend, **options),
    )
    with torch._dynamo.config.patch(recompile_limit=2):
        yield graphs
    torch._dynamo.reset()


def test_each_network_is_compiled_with_static_shapes(compiled):
    names = ["regnety-tiny", "regnety-tiny.r-x2", "regnety-tiny.r-x3"]
    for done, name in enumerate(names, start=1):
        time_steps(
            [fs.arch(name)],
            replace(RECIPE, compile=True),
            batch=2,
            num_classes=4,
            rounds=1,
            round_s=0.001,
        )
        assert len(compiled) == done and not any(compiled)


def test_several_compiled_networks_are_refused(compiled):
    archs = [fs.arch("regnety-tiny"), fs.arch("regnety-tiny.dWr-x4")]
    with pytest.raises(InputError, match="--separate"):
        time_steps(
            archs, replace(RECIPE, compile=True), batch=2, num_classes=4, rounds=1, round_s=0.001
        )


def test_epoch_records():
    (record,) = time_epochs(
        [fs.arch("regnety-tiny.dWr-x4")],
        RECIPE,
        data="made-up",
        images=800,
        num_classes=4,
        device="cpu",
        rounds=1,
    )
    cx = fs.complexity("regnety-tiny.dWr-x4", num_classes=4)
    assert (record.kind, record.data) == ("time", "made-up")
    assert (record.strategy, record.factor) == ("dWr", 4.0)
    assert (record.flops, record.params, record.acts) == (cx.flops, cx.params, cx.acts)
    v, env = record.values, record.env
    assert v["epoch_time_min"] == pytest.approx(v["eager_step_time_s"] * 100 / 60)
    assert (env["batch"], env["precision"]) == (8, "32-true")
    assert (env["layout"], env["images"]) == ("channels_last", "dummy")


def test_spread_is_half_the_quartile_distance():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == 1.0 and spread([3.0]) == 0.0


@pytest.mark.parametrize(
    "bad", [{"images": 0}, {"num_classes": 0}, {"rounds": 0}, {"device": "cuda:99"}]
)
def test_bad_sizes(bad):
    if torch.cuda.is_available() and "device" in bad:
        bad = {"images": -1}
    with pytest.raises(ValueError, match="at least 1|no usable GPU"):
        time_epochs(
            [fs.arch("regnety-tiny")],
            RECIPE,
            **{"data": "x", "images": 8, "num_classes": 4, "device": "cpu", "rounds": 1, **bad},
        )
