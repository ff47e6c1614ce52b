"""A record's step time: device time, eager time, or eager time in its place."""

import pytest

from fastscale.errors import InputError
from fastscale.records import Record, network_fields, step_time
from fastscale.records.frame import recorded
from fastscale.scaling import arch_named

GPU = {"device": "g", "date": "2026-01-01T00:00:00Z", "device_type": "cuda", "batch": 4}
BOTH = {"device_step_time_s": 2.0, "device_step_time_spread_s": 0.1}
EAGER = {"eager_step_time_s": 3.0, "eager_step_time_spread_s": 0.5}


def record(values, **env):
    fields = network_fields(arch_named("regnety-tiny"), 10)
    return Record(kind="time", run="r", **fields, values=values, env=GPU | env)


@pytest.mark.parametrize(
    ("values", "env", "found"),
    [
        (BOTH | EAGER, {"cuda_graph": True}, (2.0, 0.1, "device", "step")),
        (EAGER, {"cuda_graph": False}, (3.0, 0.5, "stand-in", "step")),
        (EAGER, {"device_type": "cpu"}, (3.0, 0.5, "eager", "step")),
        ({"step_time_s": 3.0}, {}, (3.0, None, "eager", "step")),
        ({"inference_time_s": 1.0}, {}, (1.0, None, "eager", "inference")),
        (
            {"device_inference_time_s": 1.0, "eager_inference_time_s": 2.0},
            {},
            (1.0, None, "device", "inference"),
        ),
    ],
)
def test_device_time_comes_before_eager_time(values, env, found):
    assert step_time(record(values, **env)) == found


def test_one_clock_can_be_requested():
    both = record(BOTH | EAGER)
    assert step_time(both, clock="eager") == (3.0, 0.5, "eager", "step")
    assert step_time(record(EAGER, cuda_graph=False), clock="device") is None
    assert step_time(record(EAGER, cuda_graph=False), clock="eager").clock == "eager"
    assert step_time(both, "inference") is None and step_time(record({"images_per_s": 1.0})) is None
    with pytest.raises(InputError, match="clock 'host'"):
        step_time(both, clock="host")


def test_a_row_holds_device_and_eager_time():
    row = recorded(record(BOTH | EAGER | {"epoch_time_min": 10.0}))
    assert (row.image_time_s, row.clock, row.eager_image_time_s) == (0.5, "device", 0.75)
    assert row.epoch_time_spread_min == pytest.approx(10 * 0.1 / 2)
    old = recorded(record({"step_time_s": 1.0}))
    assert (old.image_time_s, old.clock, old.eager_image_time_s) == (0.25, "eager", 0.25)
