"""Points from records and references: pooled, labelled, blank if unmeasured; one line per error."""

import csv
import math
import statistics
from dataclasses import replace

import pytest

from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.report.ours import record_points
from fastscale.paper.report.point import strategy_of
from fastscale.paper.report.references import references
from fastscale.records import RecordStore
from fastscale.records.committed import local
from fastscale.references.published import MAKERS


def test_runs_that_differ_in_the_seed_are_one_point_with_n_mean_and_deviation(synthetic):
    records = synthetic(seeds=(0, 1))
    points = record_points(records)
    trained = [r for r in records if r.kind == "train" and r.strategy == "dWr"]
    (point,) = [p for p in points if p.strategy == "dWr" and "error" in p.values]
    errors = [r.values["top1_error"] for r in trained]
    assert point.n == len(trained) == 2 and point.members == tuple(
        f"record-{r.id}" for r in trained
    )
    assert point.values["error"].value == pytest.approx(statistics.mean(errors))
    assert point.values["error"].spread == pytest.approx(statistics.stdev(errors))
    assert point.values["epoch_time"].value == pytest.approx(
        statistics.mean(r.values["epoch_time_s"] for r in trained) / 60
    )
    assert sum(p.n for p in points) == len(records)


def test_other_conditions_are_another_point_and_the_same_record_twice_is_one(synthetic):
    records = synthetic(seeds=(0,), timed=False)
    assert len(record_points(records + records)) == len(records)
    assert all(p.n == 1 and p.values["error"].spread is None for p in record_points(records))
    assert len(
        record_points(records + synthetic(seeds=(0,), timed=False, device="other"))
    ) == 2 * len(records)


def test_a_timing_has_the_spread_of_its_repeats_and_no_error(synthetic):
    (record,) = [r for r in synthetic(seeds=()) if r.strategy == "d"]
    (point,) = record_points([record])
    time = point.values["epoch_time"]
    assert time.value == record.values["epoch_time_min"] and time.spread == pytest.approx(
        time.value / 50
    )
    assert not {"error", "memory", "time_per_image"} & set(point.values)


def test_inference_and_training_with_a_loader_are_separate_points(synthetic):
    (record,) = [r for r in synthetic(seeds=()) if r.strategy == "d"]
    inference = replace(
        record,
        values={
            "inference_time_s": 0.5,
            "inference_time_spread_s": 0.05,
            "inference_images_per_s": 200.0,
        },
    )
    loader = {"images_per_s": 100.0, "end_to_end_images_per_s": 50.0}
    env = record.env | {"batch": 64, "batch_asked": 128}
    (first,), (second,) = (
        record_points([inference]),
        record_points([replace(record, values=loader, env=env)]),
    )
    assert (first.mode, second.mode) == ("inference", "training")
    assert (first.values["time_per_image"].value, first.values["time_per_image"].spread) == (
        5.0,
        pytest.approx(0.5),
    )
    assert second.values["time_per_image"].value == 20.0 and "loader" in second.setting
    assert "batch 128" in second.setting and "batch 64: no larger one fitted" in second.provenance
    assert "epoch_time" not in {**first.values, **second.values}


def test_points_name_their_provenance_and_the_cpu(synthetic):
    records = synthetic(seeds=(0, 1), timed=False, git_commit="a" * 40, git_dirty=True)
    point = record_points(records)[0]
    for text in (
        point.members[0].removeprefix("record-"),
        "aaaaaaaaaa with changes",
        "2020-01-01",
        "seed 0, 1",
    ):
        assert text in point.provenance
    assert point.cpu and point.device == "made-up processor (CPU)"
    (gpu, *_) = record_points(
        synthetic(seeds=(0,), timed=False, device="GPU", device_type="cuda", devices=8)
    )
    assert not gpu.cpu and gpu.device == "8 x GPU"


def test_local_records_are_those_of_stores_and_run_folders_each_once(tmp_path, synthetic):
    first, second, third = synthetic()[:3]
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(first)
    store.append(second)
    for record in (second, third):
        folder = tmp_path / record.run / f"seed{record.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").write_text(record.to_json() + "\n")
    assert {r.id for r in local(tmp_path)} == {first.id, second.id, third.id} and len(
        local(tmp_path)
    ) == 3
    with pytest.raises(InputError, match="no such folder of runs"):
        local(tmp_path / "absent")
    (tmp_path / "more.jsonl").write_text('{"schema": 1}\n')
    with pytest.raises(InputError, match=r"more.jsonl, line 1: missing field"):
        local(tmp_path)


def test_every_reference_row_is_there_as_published():
    found = {r.name: r for r in references()}
    assert tuple(found) == tuple(MAKERS)
    for name, reference in found.items():
        with open(home().references / f"{name}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert reference.rows == rows
        assert {p.members for p in reference.points} == {
            (f"{name}-{line}",) for line in range(2, len(rows) + 2)
        }
        assert not any(
            math.isnan(v.value) or v.value <= 0 for p in reference.points for v in p.values.values()
        )
    row, point = found["paper_points"].rows[0], found["paper_points"].points[0]
    assert (
        point.values["error"].value == float(row["top1_error"])
        and point.values["acts"].value == float(row["acts_m"]) * 1e6
    )
    ids = [p.id for r in found.values() for p in r.points]
    assert len(ids) == len(set(ids))


def test_what_was_not_published_stays_blank():
    points = {p.id: p for r in references() for p in r.points}
    unknown = [
        row
        for row in next(r for r in references() if r.name == "paper_points").rows
        if not row["top1_error"]
    ]
    blank = [
        p for p in points.values() if p.source.startswith("the paper") and "error" not in p.values
    ]
    assert len(blank) == len(unknown) > 0
    assert all("memory" not in p.values for p in points.values())
    # a training row of a network and resolution for which nobody published flops keeps none
    training = [
        p for p in points.values() if p.source == "timm benchmarks" and p.mode == "training"
    ]
    assert {"flops" in p.values for p in training} == {True, False}
    assert all(
        "from timm's inference files" in p.provenance for p in training if "flops" in p.values
    )


@pytest.mark.parametrize(
    ("written", "strategy"),
    [
        (None, "base"),
        ("none", "base"),
        ("wg", "w"),
        ("d1_w8_g8_r1", "dWr"),
        ("alpha=2/3", "d1_w4_g4_r1"),
        ("alpha=.6666666", "d1_w4_g4_r1"),
    ],
)
def test_strategies_are_those_of_the_figures(written, strategy):
    assert strategy_of(written) == strategy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ",6.75,2.86,",
            ",much,2.86,",
            r"paper_points.csv, line 2, column acts_m: 'much' is not a number",
        ),
        ("acts_m,", "acts,", r"paper_points.csv, line 1: no column 'acts_m'"),
    ],
)
def test_a_bad_reference_is_named(checkout_copy, old, new, message):
    root = checkout_copy()
    path = root / "paper_figures" / "reference" / "paper_points.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        references()
