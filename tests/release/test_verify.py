"""`fastscale checkpoint verify` recomputes the manifest's values from its records."""

from dataclasses import replace

import pytest

from fastscale.cli import main
from fastscale.records import Record
from fastscale.release import verify as room
from fastscale.release.verify import check_records

COMMIT, DATE = "a" * 40, "2026-01-01T00:00:00Z"
ERROR = {"value": 12.0, "n": 3, "mean": 13.0, "std": 1.0, "seeds": [0, 1, 2]}


@pytest.fixture
def whole(release):
    """(an entry of three runs, its records by id), consistent."""
    entry, _ = release()
    fields = (
        "arch",
        "flops",
        "params",
        "acts",
        "resolution",
        "num_classes",
        "data",
        "run",
        "recipe",
        "epochs",
    )
    own = {name: getattr(entry, name) for name in fields}
    own |= {
        "kind": "train",
        "base": "regnety-tiny",
        "strategy": None,
        "factor": 1,
        "data_hash": "d" * 64,
    }
    env = {"device": "x", "date": DATE, "git_commit": COMMIT}
    records = [Record(**own, seed=k, values={"top1_error": 12.0 + k}, env=env) for k in range(3)]
    ids = tuple(r.id for r in records)
    more = {
        "errors": {"top1_error": ERROR},
        "record_ids": ids,
        "commit": COMMIT,
        "date": DATE,
        "data_hash": "d" * 64,
        "tolerance": 0.02,
    }
    return replace(entry, **more), dict(zip(ids, records, strict=True))


def test_consistent_records_pass(whole):
    entry, records = whole
    assert check_records(entry, records) == (list(records), [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"errors": {"top1_error": {**ERROR, "std": 0.01}}},
            "the manifest's std is 0.01, that of its records 1.0",
        ),
        (
            {"errors": {"top1_error": {**ERROR, "mean": 13.001}}},
            "the manifest's mean is 13.001, that of its records 13.0",
        ),
        (
            {"errors": {"top1_error": {**ERROR, "value": 11.0}}},
            "the manifest says 11.0, the record of seed 0 12.0",
        ),
        (
            {"errors": {"top1_error": {**ERROR, "seeds": [0, 1, 5]}}},
            r"the manifest's seeds is \[0, 1, 5\]",
        ),
        (
            {"errors": {"top1_error": ERROR, "top5_error": ERROR}},
            "top5_error: the manifest's n is 3, that of its records 0",
        ),
        ({"seed": 7}, "the record of seed 7 None"),
        ({"commit": "b" * 40}, "commit: the manifest says 'bbb"),
        ({"commit": None}, "commit: the manifest says None"),
        ({"date": "2020-01-01T00:00:00Z"}, "date: the manifest says '2020"),
        ({"data_hash": "e" * 64}, "data_hash: the manifest and record .* differ"),
        ({"run": "regnety-tiny.other"}, "run: the manifest and record .* differ"),
    ],
)
def test_a_forged_value_is_named(whole, change, message):
    entry, records = whole
    with pytest.raises(AssertionError, match=message):
        found = check_records(replace(entry, **change), records)[1]
        assert not found, "; ".join(found)


def test_missing_records_are_named_and_nothing_is_computed_from_the_rest(whole):
    entry, records = whole
    gone = entry.record_ids[0]
    del records[gone]
    assert check_records(entry, records)[1] == [f"record {gone} is not in records.jsonl"]
    assert check_records(replace(entry, weights="imported", record_ids=()), records) == ([], [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--images", "0"], "--images: wanted a whole number from 1"),
        (["--images", "-5"], "--images: wanted a whole number from 1"),
        (["--data", "nosuch"], "nosuch"),
    ],
)
def test_a_users_mistake_is_not_reported_as_a_wrong_file(
    release, monkeypatch, capsys, argv, message
):
    release()
    monkeypatch.setattr(room, "verify", None)  # no file is checked
    assert main(["checkpoint", "verify", *argv]) == 2
    out, err = capsys.readouterr()
    assert not out and message in err and err.count("\n") == 1
