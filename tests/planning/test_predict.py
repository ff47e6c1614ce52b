"""`fs.predict_time`: times, intervals, what is known beside them, and devices from records."""

import math
from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.planning import device_named
from fastscale.planning.measured import device_of_records, measurements
from fastscale.planning.predict import WIDER
from fastscale.planning.terms import terms
from fastscale.records import write_snapshot


def test_named_devices_predict_what_they_were_measured_in():
    found = fs.predict_time("regnety-4gf", "v100")
    assert (
        found.mode == "training"
        and found.batch == 128
        and found.devices == 8
        and not found.extrapolated
    )
    assert found.epoch_time_min == pytest.approx(found.image_time_s * 1_281_167 / 8 / 60)
    assert found.epoch_of(found.measured) == pytest.approx(
        7.6, rel=1e-4
    )  # as Xiao et al. 2021 print
    served = fs.predict_time("regnety-4gf", "rtx-4090")
    assert served.mode == "inference" and served.epoch_time_min is None
    assert served.step_time_s == pytest.approx(1024 * served.image_time_s)
    both = [
        fs.predict_time("resnet-50", "v100-fp32", mode=mode) for mode in ("training", "inference")
    ]
    assert both[0].image_time_s > 2 * both[1].image_time_s


def test_fewer_devices_take_longer_and_smaller_batches_cost_more():
    eight, one = (
        fs.predict_time("resnet-50", "v100-fp32"),
        fs.predict_time("resnet-50", "v100-fp32", devices=1),
    )
    assert one.epoch_time_min == pytest.approx(8 * eight.epoch_time_min)
    assert (
        fs.predict_time("resnet-50", "v100-fp32", 1).image_time_s
        > fs.predict_time("resnet-50", "v100-fp32", 64).image_time_s
    )
    assert (
        fs.predict_time("resnet-50", "v100-fp32", images=1000).epoch_time_min
        < eight.epoch_time_min / 1000
    )


def test_extrapolation_is_named():
    assert fs.predict_time("regnety-4gf.w-x1000", "v100").outside == ("flops", "acts", "params")
    assert fs.predict_time("resnet-50", "rtx-4090", batch=1).outside == ("batch",)
    assert "acts" in fs.predict_time("regnety-tiny", "v100").outside


def test_the_interval_is_wider_for_a_family_that_was_not_measured():
    known, unknown = (
        fs.predict_time("efficientnet-b0", "v100"),
        fs.predict_time("resnet-50", "v100"),
    )
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
        ({"device": "v100", "precision": "16-mixed"}, "named device: its name says"),
        ({"device": "v100", "batch": 0}, "batch must be a whole number of at least 1"),
        ({"device": "v100", "batch": "x"}, "batch must be a whole number of at least 1, got 'x'"),
        ({"device": "v100", "images": 0}, "images must be a whole number"),
        ({"device": "v100", "num_classes": -1e9}, "num_classes must be a whole number"),
        ({"device": "v100", "resolution": 0}, "resolution must be a whole number"),
        ({"device": None}, "named by text, got None; there are: .*v100"),
        ({"device": 3}, "named by text, got 3"),
        ({"device": "v100", "devices": float("nan")}, "devices must be a whole number"),
        ({"device": "no/such.jsonl"}, "no such record file"),
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
        counted = terms(fs.arch("regnetz-4gf.dWr-x2"))
        truth = (
            counted.flops / 20e12
            + counted.acts / 10e9
            + (counted.params * 1e-9 + counted.layers * 50e-6) / 64
        )
        assert (
            found.image_time_s == pytest.approx(truth, rel=1e-3)
            and found.devices == 1
            and found.device == "nvidia-test-1"
        )
        law = device_named(name).law("training")
        assert law.spread("regnetz") < 0.005  # and the rest of the interval is the distance
        assert found.high / found.image_time_s < 1.005 * found.beyond**WIDER
    known = fs.predict_time("resnet-50", str(path), batch=128)
    assert known.measured == pytest.approx(known.image_time_s, rel=1e-3)
    assert (
        fs.predict_time("resnet-50", str(path), batch=64).measured is None
    )  # at that batch it was not measured


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("precision", "16-mixed", "choose one with --precision"),
        ("layout", "channels_last", "choose one with --layout"),
        ("compile", True, "choose one with --compile"),
        ("threads", 2, "keep one in a file of its own"),
        ("device", "NVIDIA Test 2", "keep one in a file of its own"),
        ("torch", "2.0.0", "keep one in a file of its own"),
        ("cores", 64, "keep one in a file of its own"),
    ],
)
def test_mixed_envelopes_are_refused_naming_the_field(records, time_record, field, value, advice):
    env = {"versions": {"torch": value}} if field == "torch" else {field: value}
    if field == "cores":  # they matter where the processor is what is measured
        assert device_of_records([*records, time_record("resnet-101", **env)]).laws
        records = [replace(r, env={**r.env, "device_type": "cpu", "cores": 2}) for r in records]
        env["device_type"] = "cpu"
    mixed = [*records, time_record("resnet-101", **env)]
    with pytest.raises(fs.InputError, match=f"differ in {field}: .*{value}; {advice}"):
        device_of_records(mixed)


def test_what_was_measured_while_the_device_drifted_is_left_out_and_said(records, time_record):
    slow = [
        time_record(name, slower=3, batch=128, drift=1.3) for name in ("resnet-50", "resnet-101")
    ]
    law = device_of_records(records + slow).law("training")
    assert (
        law.source
        == "24 time records (2 left out: the device was then more than 1.1 times faster or slower than for most)"
    )
    assert law.law == device_of_records(records).law("training").law
    assert [m.source for m in measurements(records + slow, 12)] == [law.source]


def test_a_device_that_slows_down_in_its_first_minute_is_measured_all_the_same(
    records, time_record
):
    """Drift counts from a sweep's start: where most of it ran at another clock, what ran at the first one is left out."""
    later = [replace(r, env={**r.env, "drift": 1.2}) for r in records]
    first = [time_record(name, batch=128) for name in ("resnet-50", "resnet-101")]
    law = device_of_records(later + first).law("training")
    assert (
        law.source.startswith("24 time records (2 left out")
        and law.law == device_of_records(records).law("training").law
    )


def test_records_are_chosen(records, time_record):
    other = [
        time_record(r.arch, slower=2, precision="16-mixed", batch=r.env["batch"]) for r in records
    ]
    slow = device_of_records(records + other, precision="16-mixed").law("training")
    fast = device_of_records(records + other, precision="bf16-mixed").law("training")
    assert slow.law.seconds["acts"] == pytest.approx(2 * fast.law.seconds["acts"], rel=1e-3)
    with pytest.raises(
        fs.InputError,
        match=r"no time record has precision 32-true; the records have precision bf16-mixed, 16-mixed",
    ):
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
    assert law.envelope["layout"] == "each network's faster layout"


def test_inference_records_make_a_law_of_their_own(records, time_record):
    served = [
        time_record(r.arch, slower=0.3, value="inference_time_s", batch=r.env["batch"])
        for r in records
    ]
    device = device_of_records(records + served)
    assert set(device.laws) == {"training", "inference"}
    assert device.law("inference").law.seconds["acts"] == pytest.approx(
        0.3 * device.law("training").law.seconds["acts"], rel=1e-3
    )


def test_one_mode_that_does_not_go_together_leaves_the_other(
    records, time_record, tmp_path, monkeypatch
):
    """Training in bf16, inference in bf16 compiled and in fp16 eager, as a sweep does: each mode tells what it can."""
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
    assert fs.plan(
        "regnety-500mf", "dWr", epoch_time_min=600, device=file
    ).best.arch.name.startswith("regnety-500mf.dWr")
    with pytest.raises(fs.InputError, match="the records differ in precision"):
        fs.plan("regnety-500mf", "dWr", latency_ms=600, device=file)
    with pytest.raises(fs.InputError, match="the records differ in precision"):
        fs.predict_time("regnety-500mf", file, mode="inference")


def test_serving_may_take_another_batch_than_training():
    found = fs.plan(
        "regnety-500mf",
        "dWr",
        epoch_time_min=20,
        latency_ms=5,
        latency_batch=1,
        device=["v100", "rtx-4090"],
    ).best
    assert (found.training.batch, found.inference.batch) == (
        128,
        1,
    ) and 1e3 * found.inference.step_time_s <= 5
    with pytest.raises(fs.InputError, match="; 1024 images at inference"):
        fs.plan("regnety-500mf", "dWr", latency_ms=0.001, device="rtx-4090")


def test_too_few_and_foreign_records(records, time_record):
    with pytest.raises(
        fs.InputError,
        match=r"12 usable time records; a law needs 7 networks or more: measure some with `fastscale time",
    ):
        device_of_records(records[:12])
    for other in (
        {"implementation": "timm"},
        {"images": "real"},
    ):  # not our code; not the step alone
        foreign = [time_record(r.arch, slower=9, batch=r.env["batch"], **other) for r in records]
        assert device_of_records(records + foreign) == device_of_records(records)
    wrong = replace(records[0], flops=records[0].flops + 1)
    with pytest.raises(fs.InputError, match="its counts are not the network's"):
        device_of_records([*records, wrong])


def test_measurements_for_the_table(records, time_record):
    found = measurements([*records, time_record("resnet-50", layout="channels_last")], 12)
    assert [(m.device, m.mode, len(m.observations)) for m in found] == [("test-1", "training", 24)]
    assert found[0].envelope["layout"] == "contiguous" and math.isclose(found[0].memory, 1)


def test_a_device_is_given_back_as_it_is(records):
    device = device_of_records(records)
    assert (
        device_named(device) is device
        and fs.predict_time("resnet-50", device).device == "nvidia-test-1"
    )


def test_without_groups_single_networks_are_left_out(time_record):
    names = [f"regnety-500mf.dWr-x{factor}" for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6)]
    rough = [time_record(name, slower=1.1 if i % 2 else 0.9) for i, name in enumerate(names)]
    law = device_of_records(rough).law("training")
    assert (
        set(law.spreads) == {"network"}
        and 0.08 < law.spread("regnety") == law.spread("resnet") < 0.4
    )
