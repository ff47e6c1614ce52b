"""Notebooks display objects as short lines or tables."""

from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.records import Record
from fastscale.records.committed import committed


def test_a_plan_has_a_short_repr_a_table_and_a_text():
    plan = fs.plan("efficientnet-b0", ["dwr", "dWr"], epoch_time_min=45, device="v100")
    best = plan.best.arch.name
    assert repr(plan) == f"Plan(2 candidates, the first {best}; epoch_time_min=45)"
    assert str(plan).startswith("largest networks within epoch time 45 min")
    shown = plan._repr_html_()
    assert shown.count("<tr>") == 3 and best in shown and "<p>Recommended: " in shown


def test_a_prediction_shows_its_epoch_and_its_interval():
    found = fs.predict_time("regnety-4gf", "v100")
    assert repr(found) == (
        "Prediction(regnety-4gf on v100: 8.30 min for an epoch of 1,281,167 images on 8, "
        "90 % interval 5.87 to 11.7)"
    )
    measured = found.measured * found.images / found.devices / 60
    assert f">{measured:.2f} min<" in found._repr_html_()
    served = fs.predict_time("regnety-4gf", "rtx-4090", mode="inference")
    assert " ms for " in repr(served) and "at inference" in repr(served)


def test_networks_are_tables_of_stages():
    base = fs.arch("regnety-4gf")
    shown = base._repr_html_()
    assert "4,095,782,704 flops" in shown and shown.count("<tr>") == 5 and "group width" in shown
    assert "group width" not in fs.arch("efficientnet-b0")._repr_html_()
    assert "4,095,782,704" in fs.complexity(base)._repr_html_()
    net = fs.build("regnety-tiny")
    assert net._repr_html_() == fs.arch("regnety-tiny")._repr_html_()


def test_records_and_devices_have_short_reprs():
    record = committed("quick")[0]
    record = Record.from_json(record.to_json())
    assert len(repr(record)) < 500 and record.run in repr(record)
    assert all(f">{name}<" in record._repr_html_() for name in record.values)
    from fastscale.planning import device_named

    assert repr(device_named("h100")) == "Device(h100: training of 132)"


def test_a_users_arch_and_a_regnet_scale():
    mine = replace(fs.arch("regnety-tiny"), name="mine", depths=(1, 1, 2))
    assert fs.scale(mine, "dWr", 2).name == "mine.dWr-x2"
    numbers = fs.RegNet(depth=17, w0=48, wa=28.0, wm=2.1, group_width=8)
    assert fs.scale(numbers, "d", 2).depths == fs.scale(numbers.to_anynet("regnet"), "d", 2).depths
    with pytest.raises(fs.InputError, match="expected a network's name or an arch"):
        fs.scale(7, "d", 2)


@pytest.mark.parametrize("kind", ["archs", "strategies", "recipes", "devices", "checkpoints"])
def test_lists_take_part_of_a_name_or_nothing(kind):
    listed = getattr(fs, f"list_{kind}")
    assert listed() == listed(None) == listed("") and len(listed()) > 5
    assert listed("no-such") == [] and set(listed("*r*")) <= set(listed())
