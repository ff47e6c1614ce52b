"""Published rows: names of devices and versions, units and blanks."""

import pytest

from fastscale.errors import InputError
from fastscale.references.devices import hardware, torch_version
from fastscale.references.published import every_published, published


@pytest.mark.parametrize(
    ("device", "name", "cpu"),
    [
        ("cu117-rtx3090", "RTX 3090", False),
        ("cu130-5090", "RTX 5090", False),
        ("cu130-pro6000maxq", "RTX PRO 6000 Max-Q", False),
        ("cpu-i9_10940x", "i9-10940X", True),
    ],
)
def test_devices(device, name, cpu):
    assert (hardware(device).name, hardware(device).cpu) == (name, cpu)


def test_unknown_names_are_reported():
    with pytest.raises(InputError, match="'cu999-h300' is not known; add it to"):
        hardware("cu999-h300")
    with pytest.raises(InputError, match="'2.9' is not known"):
        torch_version("2.9")


@pytest.mark.parametrize(
    ("text", "version"), [("pt112", "1.12"), ("pt113", "1.13"), ("pt210", "2.1.0")]
)
def test_versions_of_torch(text, version):
    assert torch_version(text) == version


def test_the_papers_points_are_in_the_frames_units():
    first = published("paper_points")[0]
    assert (first.id, first.arch, first.strategy, first.factor) == (
        "paper_points-2",
        "efficientnet-b0",
        None,
        1.0,
    )
    assert (first.flops, first.params, first.acts) == (0.386e9, 5.289e6, 6.75e6)
    assert (first.epoch_time_min, first.top1_error, first.devices) == (2.86, 22.72, 8)
    # 1,281,167 images in 2.86 minutes on 8 devices
    assert first.image_time_s == pytest.approx(2.86 * 60 / (1_281_167 / 8))
    (row,) = [r for r in published("paper_points") if r.id == "paper_points-132"]
    assert row.written["artifact"] == "mvit_table17"
    assert row.acts is row.epoch_time_min is row.image_time_s is row.device is None


def test_a_line_of_the_zoo_gives_training_and_inference():
    training, inference = published("pycls_zoo")[:2]
    assert (training.id, inference.id) == ("pycls_zoo-2", "pycls_zoo-2-inference")
    assert training.arch == "regnetx-200mf.dds" and training.family == "RegNetX"
    assert training.image_time_s == 0.0859 / 128  # a step of 1024 images on 8 devices
    assert inference.image_time_s == pytest.approx(10.56e-3 / 64)
    assert inference.top1_error is None and inference.devices == 1


def test_timms_training_files_borrow_the_counts_they_lack():
    rows = published("timm_benchmarks")
    (row,) = [r for r in rows if r.id == "timm_benchmarks-2"]
    assert (row.network, row.arch, row.precision, row.layout, row.compile) == (
        "regnetx_002",
        "regnetx-200mf.dds",
        "16-mixed",
        "contiguous",
        False,
    )
    assert row.image_time_s == 1 / 18244.04 and row.epoch_time_min is None
    training = [r for r in rows if r.mode == "training"]
    lent = [r for r in training if r.acts is not None]
    assert len(training) == 178 and len(lent) == 136
    assert all(r.written["macts"] == "" and "inference files" in r.origin for r in lent)
    assert training[0].epoch_time_min == 1_281_167 * training[0].image_time_s / 60


def test_rows_have_a_family_an_origin_and_a_unique_id():
    rows = every_published()
    assert len({r.id for r in rows}) == len(rows) == 132 + 2 * 36 + 2480
    assert {r.source for r in rows} == {"published"} and all(r.family and r.origin for r in rows)
