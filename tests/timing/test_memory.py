"""A batch that does not fit is halved, and the record says so. Errors stand in for a full GPU."""

import pytest
import torch

import fastscale as fs
from fastscale.timing import step as step_module
from fastscale.timing.clock import Clock
from fastscale.timing.drift import drifted
from fastscale.timing.epoch import time_epochs
from fastscale.timing.memory import PeakMemory, fitting_batch
from fastscale.training import Recipe
from fastscale.training.out_of_memory import out_of_memory

RECIPE = Recipe(name="t", data="none", epochs=1, batch_size=8, precision="32-true", warmup_epochs=0)
MEASURE = {
    "data": "made-up",
    "images": 640,
    "num_classes": 4,
    "device": "cpu",
    "rounds": 1,
    "round_s": 0.001,
}


def small_memory(limit):
    """A device that holds `limit` images."""
    original = step_module.Step.__init__

    def init(self, arch, recipe, batch, num_classes, device):
        if batch > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        original(self, arch, recipe, batch, num_classes, device)

    return init


@pytest.mark.parametrize("what", ["train", "inference"])
def test_a_batch_that_does_not_fit_is_halved_and_named(monkeypatch, what):
    monkeypatch.setattr(step_module.Step, "__init__", small_memory(5))
    (record,) = time_epochs([fs.arch("regnety-tiny")], RECIPE, batch=16, what=what, **MEASURE)
    assert (record.env["batch"], record.env["batch_asked"]) == (4, 16)
    v = record.values
    if what == "train":
        assert v["epoch_time_min"] == pytest.approx(v["eager_step_time_s"] * 160 / 60)
        assert v["images_per_s"] == pytest.approx(4 / v["eager_step_time_s"])
    else:
        assert v["inference_images_per_s"] == pytest.approx(4 / v["eager_inference_time_s"])


def test_a_batch_that_fits_is_not_mentioned():
    (record,) = time_epochs([fs.arch("regnety-tiny")], RECIPE, batch=2, **MEASURE)
    assert record.env["batch"] == 2 and "batch_asked" not in record.env


def test_what_does_not_fit_at_all_is_an_error(monkeypatch):
    monkeypatch.setattr(step_module.Step, "__init__", small_memory(0))
    with pytest.raises(torch.OutOfMemoryError):
        time_epochs([fs.arch("regnety-tiny")], RECIPE, batch=4, **MEASURE)


def test_other_errors_do_not_halve_the_batch():
    tried = []

    def attempt(batch):
        tried.append(batch)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        fitting_batch(8, attempt)
    assert tried == [8]
    for text in (
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried",
        "DefaultCPUAllocator: can't allocate memory: you tried",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS_STATUS_ALLOC_FAILED",
    ):
        assert out_of_memory(RuntimeError(text))
    assert out_of_memory(MemoryError()) and not out_of_memory(RuntimeError("a bug"))


def test_peak_memory_counts_only_later_allocations():
    peak = PeakMemory(torch.device("cpu"))
    if peak.mib() is None:
        assert not __import__("os").path.exists("/proc/self/clear_refs")
        return
    held = torch.ones(64 * 2**20 // 4)
    del held
    assert 60 < peak.mib() < 200


def test_cudnns_workspaces_of_the_warm_up_do_not_count(monkeypatch):
    state = {"now": 100, "peak": 100}

    def take(extra):
        state["peak"] = max(state["peak"], state["now"] + extra)

    def reset(device):
        state["peak"] = state["now"]

    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: state["now"] * 2**20)
    asked = []
    monkeypatch.setattr(
        torch.cuda,
        "max_memory_allocated",
        lambda device: asked.append(device) or state["peak"] * 2**20,
    )
    peak = PeakMemory(torch.device("cuda:1"))
    state["now"] += 50  # the network
    take(4000)  # kernels tried
    peak.warmed_up()
    take(30)  # a step
    assert peak.mib() == 80 and asked == [torch.device("cuda:1")]


def test_a_gpus_clock_is_cuda_events(monkeypatch):
    waited = []

    class Event:
        now = 0.0

        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            Event.now += 2.0
            self.at = Event.now

        def synchronize(self):
            waited.append(self.at)

        def elapsed_time(self, other):
            return other.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    clock = Clock(torch.device("cuda"))
    a, b = clock.mark(), clock.mark()
    assert not waited and clock.seconds(a, b) == pytest.approx(0.002) and waited == [4.0]


def test_several_devices_give_a_normalised_epoch_time():
    (one,) = time_epochs([fs.arch("regnety-tiny")], RECIPE, batch=2, **MEASURE)
    (eight,) = time_epochs([fs.arch("regnety-tiny")], RECIPE, batch=2, devices=8, **MEASURE)
    assert "epoch_time_normalised_min" not in one.values and "normalised_to_devices" not in one.env
    assert eight.env["normalised_to_devices"] == 8
    v = eight.values
    assert v["epoch_time_normalised_min"] == pytest.approx(v["epoch_time_min"] / 8)


def test_drift_beyond_the_bound_is_a_warning():
    assert drifted(1.0) is None and drifted(1.09) is None
    assert "1.30 times" in drifted(1.3) and "0.70 times" in drifted(0.7)
