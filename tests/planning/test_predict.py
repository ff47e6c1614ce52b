"""`fs.predict_time`: times, intervals, known times, and devices from records."""

import math
from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.planning import device_named
from fastscale.planning.measured import device_of_records, measurements
from fastscale.planning.predict import WIDER
from fastscale.planning.terms import terms
from fastscale.records import write_snapshot
from tests.planning.conftest import image_time


def test_named_devices_predict_their_measured_mode():
    found = fs.predict_time("regnety-4gf", "v100")
    assert (found.mode, found.batch, found.devices) == ("training", 128, 8)
    assert not found.extrapolated
    assert found.epoch_time_min == pytest.approx(found.image_time_s * 1_281_167 / 8 / 60)
    # published by Xiao et al. 2021
    assert found.epoch_of(found.measured) == pytest.approx(7.6, rel=1e-4)
    served = fs.predict_time("regnety-4gf", "rtx-4090")
    assert served.mode == "inference" and served.epoch_time_min is None
    assert served.step_time_s == pytest.approx(1024 * served.image_time_s)
    both = [
        fs.predict_time("resnet-50", "v100-fp32", mode=mode) for mode in ("training", "inference")
    ]
    assert both[0].image_time_s > 2 * both[1].image_time_s


def test_fewer_devices_take_longer_and_smaller_batches_cost_more():
    def predicted(*batch, **options):
        return fs.predict_time("resnet-50", "v100-fp32", *batch, **options)

    eight = predicted()
    assert predicted(devices=1).epoch_time_min == pytest.approx(8 * eight.epoch_time_min)
    assert predicted(1).image_time_s > predicted(64).image_time_s
    assert predicted(images=1000).epoch_time_min < eight.epoch_time_min / 1000


def test_the_prediction_names_what_is_extrapolated():
    assert fs.predict_time("regnety-4gf.w-x1000", "v100").outside == ("flops", "acts", "params")
    assert fs.predict_time("resnet-50", "rtx-4090", batch=1).outside == ("batch",)
    assert "acts" in fs.predict_time("regnety-tiny", "v100").outside


def test_the_interval_is_wider_for_a_family_that_was_not_measured():
    known = fs.predict_time("efficientnet-b0", "v100")
    unknown = fs.predict_time("resnet-50", "v100")
    assert unknown.high / unknown.image_time_s > known.high / known.image_time_s > 1.1
    assert known.image_time_s / known.low == pytest.approx(known.high / known.image_time_s)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"device": "h900"},
            r"no device is named 'h900'.*fastscale time.*--device.*; did you mean 'h100'",
        ),
        ({"device": "v100", "mode": "inference"}, "only training was measured there"),
        ({"device": "v100", "precision": "16-mixed"}, "precision cannot be chosen for v100"),
        ({"device": "v100", "batch": 0}, "batch must be a whole number of at least 1"),
        ({"device": "v100", "batch": "x"}, "batch must be a whole number of at least 1, got 'x'"),
        ({"device": "v100", "images": 0}, "images must be a whole number"),
        ({"device": "v100", "num_classes": -1e9}, "num_classes must be a whole number"),
        ({"device": "v100", "resolution": 0}, "resolution must be a whole number"),
        ({"device": None}, r"is a name \(text\), got None; choose from: .*v100"),
        ({"device": 3}, r"is a name \(text\), got 3"),
        ({"device": "v100", "devices": float("nan")}, "devices must be a whole number"),
        ({"device": "no/such.jsonl"}, "no such file of records"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))
    with pytest.raises(fs.InputError, match=message) as error:
        fs.predict_time("resnet-50", **arguments)
    assert "\n" not in str(error.value)


def test_a_law_from_records_finds_the_truth(records, tmp_path, monkeypatch):
    path = write_snapshot(tmp_path / "records.jsonl", records)
    for name in (str(path), f"{path}:test", "nvidia-test-1", "TEST"):
        monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))
        found = fs.predict_time("regnetz-4gf.dWr-x2", name, batch=64)
        truth = image_time(terms(fs.arch("regnetz-4gf.dWr-x2")), 64)
        assert found.image_time_s == pytest.approx(truth, rel=1e-3)
        assert (found.devices, found.device) == (1, "nvidia-test-1")
        law = device_named(name).law("training")
        assert law.spread("regnetz") < 0.005  # the rest of the interval is the distance
        assert found.high / found.image_time_s < 1.005 * found.beyond**WIDER
    known = fs.predict_time("resnet-50", str(path), batch=128)
    assert known.measured == pytest.approx(known.image_time_s, rel=1e-3)
    # not measured at this batch
    assert fs.predict_time("resnet-50", str(path), batch=64).measured is None


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("precision", "16-mixed", "choose one with --precision"),
        ("layout", "channels_last", "choose one with --layout"),
        ("compile", True, "choose one with --compile"),
        ("threads", 2, "keep one kind in a separate file"),
        ("device", "NVIDIA Test 2", "keep one kind in a separate file"),
        ("torch", "2.0.0", "keep one kind in a separate file"),
        ("cores", 64, "keep one kind in a separate file"),
    ],
)
def test_mixed_environments_are_refused_naming_the_field(
    records, time_record, field, value, advice
):
    env = {"versions": {"torch": value}} if field == "torch" else {field: value}
    if field == "cores":  # they matter only on a CPU
        assert device_of_records([*records, time_record("resnet-101", **env)]).laws
        records = [replace(r, env={**r.env, "device_type": "cpu", "cores": 2}) for r in records]
        env["device_type"] = "cpu"
    mixed = [*records, time_record("resnet-101", **env)]
    with pytest.raises(fs.InputError, match=f"differ in {field}: .*{value}; {advice}"):
        device_of_records(mixed)


def test_records_with_drift_are_left_out_and_counted(records, time_record):
    slow = [
        time_record(name, slower=3, batch=128, drift=1.3) for name in ("resnet-50", "resnet-101")
    ]
    law = device_of_records(records + slow).law("training")
    assert law.source == (
        "24 time records (2 left out: the device was then more than 1.1 times faster or slower "
        "than for most)"
    )
    assert law.law == device_of_records(records).law("training").law
    assert [m.source for m in measurements(records + slow, 12)] == [law.source]


def test_a_sweep_whose_first_minute_was_unusual_is_used(records, time_record):
    """Drift is relative to a sweep's start; if most ran at another clock, the start is left out."""
    later = [replace(r, env={**r.env, "drift": 1.2}) for r in records]
    first = [time_record(name, batch=128) for name in ("resnet-50", "resnet-101")]
    law = device_of_records(later + first).law("training")
    assert law.source.startswith("24 time records (2 left out")
    assert law.law == device_of_records(records).law("training").law


def test_records_are_chosen(records, time_record):
    other = [
        time_record(r.arch, slower=2, precision="16-mixed", batch=r.env["batch"]) for r in records
    ]
    slow = device_of_records(records + other, precision="16-mixed").law("training")
    fast = device_of_records(records + other, precision="bf16-mixed").law("training")
    assert slow.law.seconds["acts"] == pytest.approx(2 * fast.law.seconds["acts"], rel=1e-3)
    message = (
        "no time record has precision 32-true; the records have precision bf16-mixed, 16-mixed"
    )
    with pytest.raises(fs.InputError, match=message):
        device_of_records(records + other, precision="32-true")


def test_the_best_layout_of_each_network(records, time_record):
    faster = [
        time_record(r.arch, slower=0.5, layout="channels_last", batch=r.env["batch"])
        for r in records
        if "regnetz" in r.arch
    ]
    law = device_of_records(records + faster, layout="best").law("training")
    times = {(m.network, m.batch): m.image_time_s for m in law.measured}
    plain = {
        (m.network, m.batch): m.image_time_s
        for m in device_of_records(records).law("training").measured
    }
    for key, time in times.items():
        assert time == pytest.approx(plain[key] * (0.5 if "regnetz" in key[0] else 1), rel=1e-4)
    assert law.environment["layout"] == "each network's faster layout"


def test_inference_records_make_a_separate_law(records, time_record):
    served = [
        time_record(r.arch, slower=0.3, value="inference_time_s", batch=r.env["batch"])
        for r in records
    ]
    device = device_of_records(records + served)
    assert set(device.laws) == {"training", "inference"}
    assert device.law("inference").law.seconds["acts"] == pytest.approx(
        0.3 * device.law("training").law.seconds["acts"], rel=1e-3
    )


def test_mixed_records_of_one_mode_leave_the_other_usable(
    records, time_record, tmp_path, monkeypatch
):
    """As from a sweep: training in bf16, inference in bf16 compiled and in fp16 eager."""
    served = [time_record(r.arch, value="inference_time_s", compile=True) for r in records]
    served += [time_record(r.arch, value="inference_time_s", precision="16-mixed") for r in records]
    for chosen, why in (
        ({}, "the records differ in precision"),
        ({"precision": "bf16-mixed", "compile": False}, "no time record has"),
    ):
        device = device_of_records(records + served, **chosen)
        assert set(device.laws) == {"training"}
        with pytest.raises(fs.InputError, match=why):
            device.law("inference")
    write_snapshot(tmp_path / "records.jsonl", records + served)
    file = str(tmp_path / "records.jsonl")
    planned = fs.plan("regnety-500mf", "dWr", epoch_time_min=600, device=file)
    assert planned.best.arch.name.startswith("regnety-500mf.dWr")
    with pytest.raises(fs.InputError, match="the records differ in precision"):
        fs.plan("regnety-500mf", "dWr", latency_ms=600, device=file)
    with pytest.raises(fs.InputError, match="the records differ in precision"):
        fs.predict_time("regnety-500mf", file, mode="inference")


def test_serving_and_training_batches_may_differ():
    found = fs.plan(
        "regnety-500mf",
        "dWr",
        epoch_time_min=20,
        latency_ms=5,
        latency_batch=1,
        device=["v100", "rtx-4090"],
    ).best
    assert (found.training.batch, found.inference.batch) == (128, 1)
    assert 1e3 * found.inference.step_time_s <= 5
    with pytest.raises(fs.InputError, match="; 1024 images at inference"):
        fs.plan("regnety-500mf", "dWr", latency_ms=0.001, device="rtx-4090")


def test_too_few_and_foreign_records(records, time_record):
    message = (
        "12 usable time records; a law needs 7 networks or more: measure some with `fastscale time"
    )
    with pytest.raises(fs.InputError, match=message):
        device_of_records(records[:12])
    # not our code; not only the step
    for other in ({"implementation": "timm"}, {"images": "real"}):
        foreign = [time_record(r.arch, slower=9, batch=r.env["batch"], **other) for r in records]
        assert device_of_records(records + foreign) == device_of_records(records)
    wrong = replace(records[0], flops=records[0].flops + 1)
    with pytest.raises(fs.InputError, match="its counts are not the network's"):
        device_of_records([*records, wrong])


def test_measurements_for_the_table(records, time_record):
    found = measurements([*records, time_record("resnet-50", layout="channels_last")], 12)
    assert [(m.device, m.mode, len(m.observations)) for m in found] == [("test-1", "training", 24)]
    assert found[0].environment["layout"] == "contiguous" and math.isclose(found[0].memory, 1)


def test_a_device_is_given_back_as_it_is(records):
    device = device_of_records(records)
    assert device_named(device) is device
    assert fs.predict_time("resnet-50", device).device == "nvidia-test-1"


def test_without_groups_single_networks_are_left_out(time_record):
    names = [f"regnety-500mf.dWr-x{factor}" for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6)]
    rough = [time_record(name, slower=1.1 if i % 2 else 0.9) for i, name in enumerate(names)]
    law = device_of_records(rough).law("training")
    assert set(law.spreads) == {"network"}
    assert 0.08 < law.spread("regnety") == law.spread("resnet") < 0.4


def test_fields_of_ones_own_network_may_be_lists():
    base = fs.arch("regnety-500mf")
    mine = replace(base, depths=list(base.depths))
    assert terms(mine) == terms(base)
    assert (
        fs.predict_time(mine, "h100").epoch_time_min == fs.predict_time(base, "h100").epoch_time_min
    )
