"""Device time beside eager time. The same code without capture stands in for a GPU's graph."""

from dataclasses import replace

import pytest
import torch

import fastscale as fs
from fastscale.errors import InputError
from fastscale.records import step_time
from fastscale.timing import memory
from fastscale.timing.epoch import time_epochs
from fastscale.timing.interleaved import time_steps
from fastscale.timing.memory import check_headroom
from fastscale.timing.rounds import Timed, measured_together
from fastscale.timing.step import InferenceStep, Step, TrainingStep
from fastscale.training import Recipe
from fastscale.training.out_of_memory import out_of_memory

RECIPE = Recipe(name="t", data="none", epochs=1, batch_size=8, precision="32-true", warmup_epochs=0)
MEASURE = {
    "data": "made-up",
    "images": 640,
    "num_classes": 4,
    "device": "cpu",
    "rounds": 3,
    "round_s": 0.001,
}
NET = "regnety-tiny"


@pytest.fixture
def gpu(monkeypatch):
    """Steps have a device time of `seconds` a replay, beside their real eager time."""
    seconds = [0.002]

    def replayed_round(self, replay, steps):
        replay()
        return {self.whole: seconds[0]}

    monkeypatch.setattr(Step, "replays", True)
    monkeypatch.setattr(Step, "replayed_round", replayed_round)
    return seconds


def test_an_epoch_is_made_of_device_time_and_both_are_recorded(gpu):
    (record,) = time_epochs([fs.arch(NET)], RECIPE, batch=4, **MEASURE)
    v, env = record.values, record.env
    assert (v["device_step_time_s"], v["device_step_time_spread_s"]) == (0.002, 0)
    assert v["eager_step_time_s"] > 0 and "eager_step_time_spread_s" in v
    assert v["epoch_time_min"] == pytest.approx(0.002 * 160 / 60)
    assert v["images_per_s"] == pytest.approx(4 / 0.002)
    assert v["forward_time_s"] + v["backward_time_s"] < 2 * v["eager_step_time_s"]
    assert env["cuda_graph"] is True and env["repeats"] == 3
    assert step_time(record).clock == "device"


def test_inference_has_both_too(gpu):
    (record,) = time_epochs([fs.arch(NET)], RECIPE, batch=4, what="inference", **MEASURE)
    assert record.values["device_inference_time_s"] == 0.002
    assert record.values["inference_images_per_s"] == pytest.approx(4 / 0.002)
    assert record.values["eager_inference_time_s"] > 0


def test_on_a_cpu_there_is_only_eager_time():
    (record,) = time_epochs([fs.arch(NET)], RECIPE, batch=4, **MEASURE)
    assert not {v for v in record.values if v.startswith("device_")}
    assert "cuda_graph" not in record.env and step_time(record).clock == "eager"


def test_eager_time_stands_in_if_capture_fails(gpu, monkeypatch):
    def replayed(self):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")

    monkeypatch.setattr(TrainingStep, "replayed", replayed)
    (record,) = time_epochs([fs.arch(NET)], RECIPE, batch=4, **MEASURE)
    assert record.env["cuda_graph"] is False and "device_step_time_s" not in record.values
    assert record.env["no_cuda_graph"] == (
        "RuntimeError: operation not permitted when stream is capturing"
    )
    on_gpu = replace(record, env=record.env | {"device_type": "cuda"})
    assert step_time(on_gpu).clock == "stand-in"
    assert record.values["epoch_time_min"] == pytest.approx(
        record.values["eager_step_time_s"] * 160 / 60
    )


@pytest.mark.parametrize("where", ["round", "replayed", "replayed_round"])
def test_running_out_of_memory_later_halves_the_batch_too(gpu, monkeypatch, where):
    """In the measured rounds, in the graph's capture, or in its replay."""
    original, calls = getattr(TrainingStep, where), []

    def late(self, *args):
        calls.append(len(self.images))
        if len(self.images) > 4 and (where != "round" or calls.count(len(self.images)) > 4):
            try:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            finally:
                if where == "replayed":  # torch's message for an aborted capture
                    raise RuntimeError("operation failed due to a previous error during capture")
        return original(self, *args)

    monkeypatch.setattr(TrainingStep, where, late)
    (record,) = time_epochs([fs.arch(NET)], RECIPE, batch=16, **MEASURE)
    assert (record.env["batch"], record.env["batch_asked"]) == (4, 16)
    assert record.env["cuda_graph"] is True


def test_an_error_that_followed_out_of_memory_counts_as_it():
    error = RuntimeError("broken off")
    assert not out_of_memory(error)
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    assert out_of_memory(error)


def test_networks_that_do_not_fit_together_are_an_error_with_advice(gpu, monkeypatch):
    def replayed(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TrainingStep, "replayed", replayed)
    archs = [fs.arch(NET), fs.arch("regnety-tiny.dWr-x2")]
    with pytest.raises(InputError, match="2 networks do not fit .* batch 4: give --separate"):
        time_steps(archs, RECIPE, batch=4, num_classes=4, rounds=1, round_s=0.001)


def test_headroom_is_kept(monkeypatch):
    state = {"mem_get_info": (10, 100), "memory_reserved": 85, "max_memory_allocated": 90}
    for name, value in state.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    check_headroom(torch.device("cuda"))  # 5 others, 90: 95 of 100
    monkeypatch.setattr(memory, "HEADROOM", 0.06)
    with pytest.raises(torch.OutOfMemoryError, match="headroom"):
        check_headroom(torch.device("cuda"))


def test_replaying_trains():
    step = TrainingStep(fs.arch(NET), RECIPE, batch=8, num_classes=4, device="cpu")
    replay = step.replayed()
    before = step.net.head.fc.weight.detach().clone()
    step.replayed_round(replay, 2)
    after = step.net.head.fc.weight
    assert not torch.equal(before, after) and bool(after.isfinite().all())
    serving = InferenceStep(fs.arch(NET), RECIPE, batch=8, num_classes=4, device="cpu")
    assert serving.replayed_round(serving.replayed(), 1)[serving.whole] > 0


def test_steady_replays_need_no_further_rounds(gpu):
    step = TrainingStep(fs.arch(NET), RECIPE, batch=2, num_classes=4, device="cpu")
    timed = Timed(step, 0.001)
    timed.record()
    (found,) = measured_together([timed], 20, replayed=True)
    assert found.seconds == (0.002,) * 3 and found.disturbed is None
    times = iter(range(1, 1000))
    timed.one = lambda steps: {step.whole: float(next(times))}
    (found,) = measured_together([timed], 5, replayed=True)  # twice, both disturbed
    assert found.seconds == (6, 7, 8, 9, 10) and found.disturbed.startswith("spread 12 %")
