"""Absurd networks are refused in one line before anything is counted or built."""

import time
from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.errors import InputError

HUGE = (1e308, 10**400, 10**5000, float("nan"), float("inf"), -1, 0, True, "x")


@pytest.mark.parametrize(
    "name",
    [f"{base}.{strategy}-x{factor}" for base in ("regnety-4gf", "efficientnet-b0") for strategy in
     ("dWr", "wg", "d", "r", "d1_w8_g8_r1") for factor in ("1000000", "99999", "1e9", "0", "1e-9")]
    + ["regnety-4gf.alpha=1e999999999-x2", "regnety-4gf.d1_w" + "9" * 4999 + "-x2", "x" * 10**6,
       "regnety-4gf.d1_g999999999-x2", "regnety-4gf.dWr-x" + "9" * 400],
    ids=lambda name: name[:40],
)  # fmt: skip
def test_a_name(name):
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        fs.arch(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_a_number(value):
    calls = [
        lambda: fs.complexity("regnety-4gf", num_classes=value),
        lambda: fs.build("regnety-tiny", value),
        lambda: fs.scale_to("regnety-4gf", "dWr", params=value),
        lambda: fs.scale_to("regnety-4gf", "dWr", flops=value),
        lambda: fs.complexity("regnety-4gf", resolution=value),
    ]
    if value is not True:
        calls.append(lambda: fs.scale("regnety-4gf", "dWr", value))
    for call in calls:
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "field",
    [{"depths": (10**9, 1, 1, 1)}, {"widths": (10**9,) * 4}, {"resolution": 10**5},
     {"stem_width": 10**8}, {"test_resolution": 10**5}],
)  # fmt: skip
def test_a_users_network(field):
    with pytest.raises(InputError):
        replace(fs.arch("regnety-4gf"), **field)


def test_what_the_paper_and_the_planner_need_is_allowed():
    for strategy in ("d", "wg", "dWr", "dwr", "w"):
        assert fs.complexity(fs.scale("regnety-4gf", strategy, 309)).flops > 10**11
    assert fs.scale("efficientnet-b0", "r", 63).resolution == 1776
