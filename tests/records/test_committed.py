"""Reading our records: each record once, and each file parsed once unless it changes."""

import pytest

from fastscale.errors import InputError
from fastscale.home import using_home
from fastscale.records import Record, write_snapshot
from fastscale.records.committed import at_hand, committed, facts, local


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of committed records in a temporary checkout without runs."""
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "configs" / "artifacts").mkdir(parents=True)
    (tmp_path / "paper_figures" / "records").mkdir(parents=True)
    with using_home(tmp_path):
        yield tmp_path / "paper_figures" / "records"


def test_a_record_in_two_files_counts_once(folder, made_up):
    one, two, three = (made_up(seed=seed) for seed in range(3))
    write_snapshot(folder / "b.jsonl", [two, three])
    write_snapshot(folder / "a.jsonl", [one, two])
    assert committed() == [one, two, three]
    assert committed("b") == [two, three] and committed("none") == []


def test_the_users_records_come_first_and_count_once(folder, made_up, tmp_path):
    own, other = made_up(seed=7), made_up(seed=8)
    write_snapshot(folder / "a.jsonl", [other])
    assert at_hand() == [other]
    write_snapshot(tmp_path / "runs" / "records.jsonl", [own, other])
    assert at_hand() == [own, other] == local(tmp_path / "runs")


def test_a_file_is_parsed_once_unless_it_changes(folder, made_up, monkeypatch):
    write_snapshot(folder / "a.jsonl", [made_up(seed=seed) for seed in range(5)])
    parsed = []
    whole = Record.from_json.__func__
    monkeypatch.setattr(
        Record, "from_json", classmethod(lambda cls, line: parsed.append(line) or whole(cls, line))
    )
    assert len(committed()) == len(committed("a")) == len(at_hand()) == 5
    assert len(parsed) == 5
    write_snapshot(folder / "a.jsonl", [made_up(seed=9)])
    assert committed() == [made_up(seed=9)] and len(parsed) == 6


def test_a_bad_line_is_named_each_time(folder, made_up):
    (folder / "a.jsonl").write_text(made_up().to_json() + '\n{"schema": 1}\n')
    for _ in range(2):
        with pytest.raises(InputError, match=r"a\.jsonl, line 2: missing field"):
            committed()


def test_facts_name_the_file_of_an_unknown_network(folder, made_up):
    write_snapshot(folder / "a.jsonl", [made_up()])
    with pytest.raises(InputError, match=r"^a\.jsonl, line 1: no network is named 'toy"):
        facts()
    write_snapshot(folder / "a.jsonl", [made_up(run="toy.d-x2.reference")])
    assert facts() == []
