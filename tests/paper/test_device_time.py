"""The page of device time and eager time: its numbers, and both sides of the findings."""

from dataclasses import replace

import pytest

from fastscale.paper.artifacts import load_artifact
from fastscale.paper.device_time import timed
from fastscale.paper.figures.device_time import draw_device_time, width_style
from fastscale.paper.tables.device_time import COUNTS, law_table, r_table
from fastscale.records.committed import committed

# base: n; r of device time (with stand-ins) with acts, flops, params; r of eager time: acts, flops
R = {
    "efficientnet-b0": (25, 0.995, 0.818, 0.567, 0.921, 0.713),
    "regnety-500mf": (42, 0.966, 0.881, 0.653, 0.758, 0.639),
    "regnetz-500mf": (41, 0.940, 0.899, 0.693, 0.901, 0.829),
    "regnety-4gf": (19, 0.872, 0.856, 0.450, 0.712, 0.597),
    "regnetz-4gf": (20, 0.884, 0.726, 0.744, 0.872, 0.698),
    "all": (148, 0.943, 0.789, 0.595, 0.840, 0.697),
}


@pytest.fixture(scope="module")
def records():
    return committed("timing-h100")


@pytest.fixture(scope="module")
def networks(records):
    return timed(records, "h100")


@pytest.fixture(scope="module")
def page(records):
    artifact = load_artifact("device-time")
    (page,) = draw_device_time(artifact, artifact.drawing, records)
    return page


def test_r_by_base_and_over_all(networks):
    table = r_table(networks, "x")
    found = {row[0]: row for row in table.rows}
    assert set(found) == set(R)
    for base, (n, *wanted) in R.items():
        row = found[base]
        assert row[1] == n and row[2:7] == pytest.approx(wanted, abs=5e-4), base
    assert found["all"][8:] == [
        132,
        *map(lambda x: pytest.approx(x, abs=5e-4), (0.899, 0.826, 0.654)),
    ]
    assert "acts 0.966, flops (multiply-adds) 0.896, params 0.772" in table.notes[1]


def test_stand_ins_are_eager_time_and_marked(networks, page):
    stand_ins = [n for n in networks if n.stand_in]
    assert len(stand_ins) == 16 and all(n.device == n.eager for n in stand_ins)
    clocks = page.pictures["device-time"].panels
    assert len(clocks) == 2 * len(COUNTS)
    assert [sum(m.stand_in for m in chart.marks) for chart in clocks] == [16] * 3 + [0] * 3
    assert clocks[0].heading == "r = 0.943, graphs alone 0.899" and clocks[3].heading == "r = 0.840"


def test_both_sides_are_told(page):
    text = page.caption[0]
    assert "The median ratio of eager time to device time is 1.52, the largest 4.3" in text
    assert "67 of 132 networks are above 1.5" in text
    assert "regnetz-500mf.wg-x32 (24 per group) 138 ms, regnetz-500mf.wg-x48 (32) 78 ms" in text
    assert "Of these 6 networks, 0 have fewer acts than dWr and 1 take longer" in text
    assert "regnety-4gf.dWr-x2 (40 channels per group) 1.47" in text
    assert page.caption[1].startswith("Not tried: ")


def test_the_roofline_is_of_each_network(networks):
    n = next(n for n in networks if n.row.arch == "regnety-4gf")
    assert n.step_bytes == 26_761_140_192 and n.width == 32
    assert n.bytes_per_s == pytest.approx(n.step_bytes / 0.0276402)
    assert n.multiply_adds_per_s == pytest.approx(3 * 64 * 4095782704 / 0.0276402)
    assert n.intensity == pytest.approx(n.multiply_adds_per_s / n.bytes_per_s)
    assert width_style(32).label == width_style(8).label != width_style(24).label


def test_the_laws_errors_are_of_networks_left_out(networks):
    table = law_table(networks, "x")
    *_, whole, strategies = table.rows
    assert strategies[0] == "each strategy in turn"
    assert strategies[3] == pytest.approx(0.035, abs=2e-3)
    assert whole[1] == 132 and whole[3] == pytest.approx(0.042, abs=2e-3)
    assert whole[4] == pytest.approx(0.144, abs=3e-3) and 0.85 <= whole[6] <= 0.95


def test_without_records_and_with_another_batch(records):
    artifact = load_artifact("device-time")
    (empty,) = draw_device_time(artifact, artifact.drawing, [])
    assert empty.lead == ["No record yet."] and not empty.pictures
    assert artifact.drawing.names(artifact, []) == []
    one = next(r for r in records if r.run == "regnety-4gf.time")
    larger = replace(one, env=one.env | {"batch": 128})
    (found,) = timed([one, larger], "h100")
    assert found.row.batch == 128 and timed([one], "v100") == []
