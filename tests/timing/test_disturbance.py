"""A disturbed timing is measured again; if that is disturbed too, the record says so."""

from types import SimpleNamespace

import pytest
import torch

from fastscale.timing import rounds
from fastscale.timing.disturbance import Waiting, disturbed
from fastscale.timing.epoch import measured_under
from fastscale.timing.interleaved import interleaved
from fastscale.training.recipe import load_recipe

CALM, ODD, LATE = [1.0, 1.01, 0.99, 1.0], [1.0, 2.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.2]


class Scripted:
    """A step with scripted round times."""

    whole, parts = "step_time_s", ()
    device, recipe = torch.device("cpu"), SimpleNamespace(compile=False)
    clock = SimpleNamespace(on_gpu=False)
    replays = False

    def __init__(self, script):
        self.script = iter([1.0, 1.0, 1.0, *script])  # the first ones are warm-up and the count

    def round(self, steps):
        return {self.whole: next(self.script)}


@pytest.fixture(autouse=True)
def a_quiet_machine(monkeypatch):
    monkeypatch.setattr(Waiting, "share", lambda self: 0.0)
    monkeypatch.setattr(rounds, "WARMUP_STEPS", {"cpu": (3, 3)})


def measured(*scripts):
    makers = {"net": lambda size: Scripted([s for script in scripts for s in script])}
    return interleaved(makers, batch=2, device="cpu", rounds=4)["net"]


def test_calm_rounds_are_measured_once():
    found = measured(CALM)
    assert found.answer.disturbed is None and found.median_s == 1.0


@pytest.mark.parametrize("first", [ODD, LATE])
def test_disturbed_rounds_are_measured_again(first):
    found = measured(first, [2 * seconds for seconds in CALM])
    assert found.answer.disturbed is None and found.median_s == 2.0


def test_the_record_says_if_both_series_were_disturbed():
    found = measured(ODD, LATE)
    assert found.answer.disturbed == "last round 1.20 x the first"
    env = measured_under(load_recipe("quick"), found, asked=2, device="cpu")
    assert env["disturbed"] == found.answer.disturbed
    calm = measured_under(load_recipe("quick"), measured(CALM), asked=2, device="cpu")
    assert "disturbed" not in calm


def test_waiting_for_a_processor_is_a_disturbance(monkeypatch):
    shares = iter([0.5, 0.0])
    monkeypatch.setattr(Waiting, "share", lambda self: next(shares))
    assert measured(CALM, CALM).answer.disturbed is None
    assert disturbed(CALM, 0.5) == "waited 50 % of the time for a processor"


def test_few_rounds_are_never_disturbed():
    assert disturbed([1.0]) is None and disturbed([1.0, 3.0]) is None
