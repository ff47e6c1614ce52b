"""The share of time that a device works, with a simulated device and clock."""

from types import SimpleNamespace

import pytest
import torch

from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.training import device_meter, monitor
from fastscale.training.device_meter import HELD_BACK, DeviceMeter
from fastscale.training.monitor import SpeedMonitor


class Machine:
    """A host that launches work and a device that does it in order, on one clock."""

    def __init__(self):
        self.host = self.free = self.worked = 0.0

    def launch(self, cost, work):
        """The host needs `cost` seconds to launch a piece of work of `work` seconds."""
        self.host += cost
        self.free = max(self.free, self.host) + work
        self.worked += work

    def sleep(self, cycles):
        self.free = max(self.free, self.host) + cycles / device_meter.CLOCK

    def event(self):
        machine = self

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing

            def record(self):
                self.at = max(machine.free, machine.host)

            def query(self):
                return self.at <= machine.host

            def elapsed_time(self, other):
                return 1e3 * (other.at - self.at)

        return Event


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(torch.cuda, "Event", machine.event())
    monkeypatch.setattr(torch.cuda, "_sleep", machine.sleep)
    monkeypatch.setattr(device_meter.time, "perf_counter", lambda: machine.host)
    return machine


def test_steps_of_a_graph_are_measured_as_they_are(machine):
    """The device waits .01 s for each of ten steps of .03 s."""
    meter = DeviceMeter()
    for _ in range(10):
        machine.host = machine.free + 0.01  # a batch comes late
        meter.begin()
        machine.launch(1e-4, 0.03)
        meter.end()
    assert meter.steps < 10  # the last one still runs, and is not waited for
    machine.host = machine.free
    assert meter.busy() == pytest.approx(machine.worked, rel=0.01) and meter.steps == 10


def test_gaps_within_a_launched_step_are_seen(machine):
    """200 pieces of 20 us, each launched in 100 us: the device works a fifth of the time.

    By the events around the steps alone it would always work.
    """
    meter, worked = DeviceMeter(), 0.0
    for step in range(20):
        meter.begin(hold_back=step == 3)
        for _ in range(200):
            machine.launch(100e-6, 20e-6)
        meter.end()
    machine.host = machine.free
    worked = machine.worked
    assert meter.seconds > 4 * worked
    assert meter.busy() == pytest.approx(worked, rel=0.05)


def fit(steps, on_gpu, used="captured", begun=None):
    """Runs the monitor over one epoch; returns what it logs."""
    logged, held = {}, []
    speed = SpeedMonitor()
    loop = SimpleNamespace(automatic_optimization=SimpleNamespace(used=used))
    trainer = SimpleNamespace(
        world_size=1, num_training_batches=steps, fit_loop=SimpleNamespace(epoch_loop=loop)
    )
    module = SimpleNamespace(log=lambda name, value, prog_bar: logged.update({name: prog_bar}))
    if begun:
        speed.load_state_dict({"epochs": [], "begun": begun})
        speed.on_train_start(trainer, module)
    else:
        speed.on_train_epoch_start(trainer, module)
    begin = speed.device.begin
    speed.device.begin = lambda hold_back: (held.append(hold_back), begin(hold_back))
    batch = [SimpleNamespace(is_cuda=on_gpu, shape=(8, 3, 4, 4))]
    for i in range(steps):
        speed.on_train_batch_start(trainer, module, batch, i)
        speed.on_train_batch_end(trainer, module, None, batch, i)
    state = speed.state_dict()
    speed.on_train_epoch_end(trainer, module)
    return speed, logged, held, state


def test_shown_beside_the_wait_for_data(machine, monkeypatch):
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: machine.host)

    begin, end = DeviceMeter.begin, DeviceMeter.end

    def working(self, hold_back=False):
        begin(self, hold_back)
        machine.launch(0.0, 0.03)

    def ended(self):
        end(self)
        machine.host = machine.free + 0.01  # the next batch comes late

    monkeypatch.setattr(DeviceMeter, "begin", working)
    monkeypatch.setattr(DeviceMeter, "end", ended)
    speed, logged, held, state = fit(20, True)
    assert logged["device_busy_share"] and logged["data_wait_share"] and not logged["images_per_s"]
    assert speed.summary()["device_busy_share"] == pytest.approx(0.75, abs=0.02)
    assert not any(held) and state["begun"]["device"] > 0
    again, logged, *_ = fit(20, True, begun=state["begun"])
    assert again.epochs[0]["images_per_s"] == pytest.approx(speed.epochs[0]["images_per_s"])
    assert logged["device_busy_share"]
    assert [i for i, h in enumerate(fit(20, True, "off")[2]) if h] == [HELD_BACK]
    del state["begun"]["device"]  # as if begun on a machine without a GPU
    assert "device_busy_share" not in fit(20, True, begun=state["begun"])[1]
    with pytest.raises(InputError, match="no numbers"):
        speed.load_state_dict({"epochs": [], "begun": {**state["begun"], "device": -1.0}})


def test_left_out_where_there_is_no_gpu():
    speed, logged, held, state = fit(20, False)
    assert set(logged) == set(speed.summary()) == set(monitor.EPOCH) and not held
    assert set(state["begun"]) == set(monitor.SUMS)


def test_a_record_holds_it_as_a_share():
    fields = {"kind": "train", "run": "r", "arch": "a", "base": "a", "strategy": None, "factor": 1}
    counts = dict.fromkeys(("resolution", "num_classes", "flops", "params", "acts"), 1)
    env = {"device": "d", "date": "now"}
    Record(**fields, **counts, values={"device_busy_share": 0.97}, env=env)
    with pytest.raises(InputError, match="device_busy_share must be from 0 to 1"):
        Record(**fields, **counts, values={"device_busy_share": 1.2}, env=env)
