"""Published times: which networks are also ours, and that the shipped laws equal a fresh fit."""

import csv
import json
from pathlib import Path

import pytest

import fastscale as fs
from fastscale.paper.tables.runtime_law import device_differences, fresh_devices, runtime_law
from fastscale.planning import shipped_devices
from fastscale.planning.devices import SHIPPED
from fastscale.planning.terms import terms
from fastscale.references.networks import TABLES, timm_arch

REFERENCE = Path(__file__).parents[2] / "paper_figures" / "reference"


@pytest.fixture(scope="module")
def timm_rows():
    with open(REFERENCE / "timm_benchmarks.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_timms_networks_are_ours_to_the_digit_they_print(timm_rows):
    checked = set()
    for row in timm_rows:
        arch = timm_arch(row["model"])
        if arch is None or not (row["params_m"] and row["macts"]):
            continue
        model, resolution = row["model"], int(float(row["resolution"]))
        ours = terms(arch, resolution)
        assert ours.params / 1e6 == pytest.approx(float(row["params_m"]), abs=0.006), model
        # timm does not count the max pool's acts, but counts the norms' flops
        pool = 64 * (resolution // 4) ** 2 if model.startswith("res") else 0
        acts = (ours.acts - pool) / 1e6
        assert acts == pytest.approx(float(row["macts"]), abs=0.02, rel=2e-3), model
        assert ours.flops / 1e9 == pytest.approx(float(row["gmacs"]), abs=0.025, rel=0.04), model
        checked.add(model)
    some = {"regnetz_040", "regnetz_005", "regnety_320", "efficientnet_b7", "resnext50_32x4d"}
    assert len(checked) >= 39 and some <= checked


def test_networks_that_are_not_ours_are_left_out(timm_rows):
    models = {row["model"] for row in timm_rows}
    for model in (
        "resnet18",
        "regnety_640",
        "regnetz_d8",
        "tf_efficientnet_b0",
        "efficientnet_b0_gn",
        "regnety_008_tv",
        "efficientnet_b8",
    ):
        assert model in models and timm_arch(model) is None


def test_the_shipped_laws_are_those_of_a_fresh_fit(monkeypatch, tmp_path):
    assert device_differences() == []
    changed = json.loads(fresh_devices())
    changed[0]["seconds"]["acts"] *= 1.01
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(changed))
    monkeypatch.setattr("fastscale.paper.tables.runtime_law.SHIPPED", path)
    assert device_differences() == [
        "fastscale/planning/devices.json: differs from a fresh fit to references and records; "
        "regenerate it with scripts/write_devices.py"
    ]
    assert SHIPPED.name == path.name


def test_devices_say_how_they_were_measured():
    devices = shipped_devices()
    assert {
        "v100",
        "v100-fp32",
        "rtx-3090",
        "rtx-4090",
        "rtx-5090",
        "rtx-5090-compiled",
        "rtx-3090-nhwc",
        "i7-12700h",
    } <= set(devices)
    assert set(devices["v100"].laws) == {"training"}
    assert set(devices["v100-fp32"].laws) == {"training", "inference"}
    for device in devices.values():
        for law in device.laws.values():
            assert law.environment["precision"] and law.source
            assert len(law.measured) >= 36 and law.spreads
    assert devices["rtx-5090-compiled"].law("inference").environment["compile"] is True
    assert devices["rtx-4090"].law("inference").environment["software"] == "torch 2.9.1"


def test_what_xiao_et_al_timed_checks_the_v100_law():
    xiao = {name for (table, _), name in TABLES.items() if table == "xiao2021_table2"}
    checks = [name for name in xiao if not name.startswith("efficientnet")]
    assert len(checks) == 8
    law = shipped_devices()["v100"].law("training")
    assert {m.network for m in law.measured} >= set(checks)
    errors = []
    for name in checks:
        found = fs.predict_time(name, "v100")
        assert found.measured and found.low < found.measured < found.high
        errors.append(abs(found.image_time_s / found.measured - 1))
    assert sorted(errors)[4] < 0.15  # of networks that were not in the fit


def test_acts_tell_more_than_flops_and_params_on_gpus_of_the_table():
    table = runtime_law()
    rows = [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows]
    on_gpus = [r for r in rows if "(CPU)" not in r["device"] and "nhwc" not in r["device"]]
    assert len(on_gpus) >= 15
    for r in on_gpus:
        assert r["error_acts"] < min(r["error_flops_multiply_adds"], r["error_params"])
        assert min(r["error_full"], r["error_split"]) < r["error_acts"]
    cpus = [r for r in rows if "(CPU)" in r["device"]]
    assert rows[-len(cpus) :] == cpus
    assert any(r["r_flops_multiply_adds"] > r["r_acts"] for r in cpus)
    assert any("neither confirms nor refutes" in note for note in table.notes)
