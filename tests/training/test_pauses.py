"""A stopped process (Ctrl-Z, then `fg`) is not training: its clock leaves the pause out."""

import os
import signal
from types import SimpleNamespace

import pytest

from fastscale.training import monitor
from fastscale.training.lines import Lines
from fastscale.training.monitor import SpeedMonitor

TRAINER = SimpleNamespace(world_size=1, num_training_batches=8)
BATCH = [SimpleNamespace(is_cuda=False, shape=(16, 3, 4, 4))]


@pytest.mark.parametrize("paused_in", [None, "step", "wait", "validation", "first step"])
def test_a_pause_is_not_counted(paused_in, monkeypatch):
    now = 0.0
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: now)

    def work(seconds, what):
        nonlocal now
        now += seconds
        if what == paused_in:
            now += 3600.0
            os.kill(os.getpid(), signal.SIGCONT)

    speed, module = SpeedMonitor(), SimpleNamespace(log=lambda *_, **__: None)
    before = signal.getsignal(signal.SIGCONT)
    with speed.without_pauses():
        speed.on_train_epoch_start(TRAINER, module)
        for i in range(8):
            work(0.5, "wait" if i == 4 else "")
            speed.on_train_batch_start(TRAINER, module, BATCH, i)
            work(1.5, {0: "first step", 4: "step"}.get(i, ""))
            speed.on_train_batch_end(TRAINER, module, None, BATCH, i)
            if i == 3:
                speed.on_validation_start(TRAINER, module)
                work(100.0, "validation")
                speed.on_validation_end(TRAINER, module)
        speed.on_train_epoch_end(TRAINER, module)
        printed = Lines(speed).now()  # as if it had begun at 0
    assert signal.getsignal(signal.SIGCONT) is before
    lost = {"step": 1.5, "wait": 0.5, "first step": 1.5}.get(paused_in, 0.0)
    if paused_in != "validation":  # whose time is not measured, only printed
        assert printed == pytest.approx(116.0 - lost)
    (epoch,) = speed.epochs
    assert epoch["epoch_time_s"] == pytest.approx(16.0 - lost)
    assert epoch["images_per_s"] == pytest.approx(8 * 16 / 15.5, rel=0.11)
    assert epoch["data_wait_share"] == pytest.approx(3.5 / 15.5, abs=0.03)
