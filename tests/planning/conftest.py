"""Time records of a made-up device that obeys the law exactly."""

import pytest

import fastscale as fs
from fastscale.planning.terms import terms
from fastscale.records import Record, network_fields

NETWORKS = (
    "regnety-500mf",
    "regnety-500mf.dWr-x2",
    "regnety-500mf.dwr-x2",
    "regnety-4gf",
    "regnetz-500mf",
    "regnetz-500mf.dWr-x2",
    "regnetz-4gf",
    "efficientnet-b0",
    "efficientnet-b2",
    "efficientnet-b0.dWr-x4",
    "resnet-50",
    "regnetx-800mf.dds",
)


def image_time(counted, batch):
    """The true time: 20 T multiply-adds and 10 G acts a second, 1 ns a param and 50 us a layer."""
    return (
        counted.flops / 20e12
        + counted.acts / 10e9
        + (counted.params * 1e-9 + counted.layers * 50e-6) / batch
    )


@pytest.fixture
def time_record():
    """`time_record("resnet-50", batch=64, slower=2)`: a record, `slower` times the true time."""

    def make(name, slower=1.0, value="step_time_s", resolution=None, peak=None, **env):
        arch = fs.arch(name)
        environment = {
            "device": "NVIDIA Test 1",
            "device_type": "cuda",
            "date": "2026-11-21T00:00:00Z",
            "batch": 64,
            "precision": "bf16-mixed",
            "layout": "contiguous",
            "compile": False,
            "threads": 1,
            **env,
        }
        batch = environment["batch"]
        step = slower * image_time(terms(arch, resolution), batch) * batch
        values = {value: step} | ({"peak_memory_mib": peak} if peak else {})
        return Record(
            kind="time",
            run=f"{name}.time",
            **network_fields(arch, 1000, resolution),
            data="imagenet",
            values=values,
            env=environment,
        )

    return make


@pytest.fixture
def records(time_record):
    """Every network at two batches."""
    return [time_record(name, batch=batch) for name in NETWORKS for batch in (32, 128)]
