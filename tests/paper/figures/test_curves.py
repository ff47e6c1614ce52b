"""A run's curve is drawn from its record and its CSV, which must agree."""

import csv
from types import SimpleNamespace

import pytest

from fastscale.errors import InputError
from fastscale.paper.artifacts import Figure, read_artifact
from fastscale.paper.build import produce_artifact
from fastscale.paper.figures.curves import COLUMNS, read_curve

RUN = "regnety-tiny.quick"


@pytest.fixture
def root(tmp_path, stay_at):
    """A checkout with one curve of three epochs; the home of the test."""
    (tmp_path / "configs" / "artifacts").mkdir(parents=True)
    folder = tmp_path / "paper_figures" / "records" / "curves"
    folder.mkdir(parents=True)
    with open(folder / f"{RUN}-seed0.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [COLUMNS, *([k, 2.0 - k / 4, 0.1, 40 - k, 42 - k, 900] for k in (1, 2, 3))]
        )
    return stay_at(tmp_path)


def declared(**record):
    """An artifact of the run, and its record."""
    values = {"top1_error": 37.0, "top1_error_ema": 39.0, **record}
    names = {
        "arch": "regnety-tiny",
        "resolution": 32,
        "flops": 1_004_010,
        "data": "fashion-mnist",
        "epochs": 3,
        "kind": "train",
    }
    artifact = read_artifact(
        {
            "name": "mine",
            "title": "Mine",
            "kind": "figure",
            "shows": "It.",
            "outputs": ["figures/mine"],
            "drawing": {"by": "curves", "runs": [{"run": RUN, "seed": 0}]},
        },
        "mine",
    )
    assert isinstance(artifact, Figure)
    return artifact, SimpleNamespace(run=RUN, seed=0, values=values, **names)


def test_drawn_twice_it_is_the_same_to_the_byte(root, tmp_path):
    artifact, record = declared()
    first, second = (produce_artifact(artifact, [record], tmp_path / name) for name in "ab")
    assert {p.suffix for p in first} == {".svg", ".png", ".md", ".csv", ".tex"}
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert (
        "averaged weights 39.00 %" in (tmp_path / "a" / "figures" / "mine.md").read_text()
        and "one run" in (tmp_path / "a" / "figures" / "mine.md").read_text()
    )


def test_a_curve_that_is_not_the_records_is_refused(root, tmp_path):
    artifact, record = declared(top1_error=30.0)
    with pytest.raises(InputError, match="ends at top1_error 37, the record says 30"):
        produce_artifact(artifact, [record], tmp_path / "a")


def test_without_a_record_nothing_is_drawn(root, tmp_path):
    artifact, record = declared()
    assert produce_artifact(artifact, [], tmp_path / "a") == []
    assert (
        produce_artifact(artifact, [SimpleNamespace(**{**vars(record), "seed": 1})], tmp_path / "a")
        == []
    )
    assert not [p for p in (tmp_path / "a").rglob("*") if p.is_file()]


def test_a_missing_or_other_file_is_one_line(root):
    with pytest.raises(InputError, match="cannot read the curve"):
        read_curve(RUN, 1)
    path = root / "paper_figures" / "records" / "curves" / f"{RUN}-seed0.csv"
    path.write_text("epoch,loss\n1,2\n")
    with pytest.raises(InputError, match="expected the columns epoch, train_loss"):
        read_curve(RUN, 0)
