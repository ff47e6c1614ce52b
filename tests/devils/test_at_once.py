"""One command twice at the same time: the second waits, or ends with a message."""

import json

import pytest

from fastscale.records import RecordStore
from tests.devils.commands import KILL, RUN, TERM, left, one_line
from tests.devils.drawing import checkout, drawn
from tests.devils.slow import slowly
from tests.waiting import until

pytestmark = pytest.mark.slow


def test_two_fits_of_one_run(verb, nursery, tmp_path):
    """The second ends with a message and leaves the first alone."""
    first = nursery.start(tmp_path, *verb("fit-long"))
    until((tmp_path / "runs" / RUN / "seed0" / "settings.json").is_file)
    second = nursery.run(tmp_path, *verb("fit-long"))
    one_line(second, 2)
    first.signal(TERM)
    one_line(first.wait(), 143)


@pytest.mark.parametrize("killed", [False, True])
def test_two_writers_of_one_store(killed, verb, nursery, made, tmp_path):
    """The second waits, then keeps the store, or writes it if the first was killed."""
    first = nursery.start(tmp_path, *verb("write-2"), **slowly(0.1))
    until(lambda: len(first.alive()) > 2)
    second = nursery.start(tmp_path, *verb("write-2"))
    until(lambda: "waiting for another process" in second.read(0))
    if killed:
        first.signal(KILL)
    one_line(first.wait(), -KILL if killed else 0)
    one_line(second.wait(), 0)
    assert killed or "is already written" in second.read(0)
    for name in ("train.beton", "val.beton"):
        assert (tmp_path / "store" / name).read_bytes() == (made.store / name).read_bytes()
    assert not left(tmp_path)


def test_two_reproduces_of_one_checkout(nursery, made, tmp_path):
    found = []
    for how_many in (1, 2):
        folder = tmp_path / str(how_many)
        folder.mkdir()
        checkout(folder, made)
        words = ("reproduce", "table-1")
        both = [nursery.start(folder, *words, home=str(folder)) for _ in range(how_many)]
        for process in both:
            one_line(process.wait(), 0)
        found.append(drawn(folder))
    assert found[0] == found[1]


def test_two_reports(verb, nursery, tmp_path):
    both = [nursery.start(tmp_path, *verb("report")) for _ in range(2)]
    for process in both:
        one_line(process.wait(), 0)
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")
    assert not left(tmp_path)


@pytest.mark.parametrize("name", ["time", "time-separate"])
def test_two_timings_into_one_store(name, verb, nursery, tmp_path):
    both = [nursery.start(tmp_path, *verb(name)) for _ in range(2)]
    for process in both:
        one_line(process.wait(), 0, 2)
    records = RecordStore(tmp_path / "runs" / "records.jsonl").read()
    assert len({r.id for r in records}) == len(records) > 0


def test_two_publishes_of_one_run(verb, nursery, tmp_path):
    """One entry and one record."""
    both = [nursery.start(tmp_path, *verb("publish")) for _ in range(2)]
    for process in both:
        one_line(process.wait(), 0)
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(content["checkpoints"]) == 1
    assert len(RecordStore(tmp_path / "out" / "records.jsonl").read()) == 1
    assert not left(tmp_path)
