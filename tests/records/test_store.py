"""The store: append-only, one whole line per record, whatever happens to its writers."""

import os
import signal
import subprocess
import sys
import warnings

import pytest

from fastscale.errors import InputError
from fastscale.records import RecordStore, latest, read_records, write_snapshot


def test_append_only_adds(tmp_path, made_up):
    store = RecordStore(tmp_path / "runs" / "records.jsonl")
    assert store.read() == []
    store.append(made_up(seed=0))
    before = store.path.read_bytes()
    store.append(made_up(seed=1))
    assert store.path.read_bytes().startswith(before)
    assert store.read() == [made_up(seed=0), made_up(seed=1)]


def test_readers_skip_half_a_line_and_the_next_writer_removes_it(tmp_path, made_up):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(made_up(seed=0))
    with open(store.path, "a") as file:
        file.write(made_up(seed=1).to_json()[:50])
    with pytest.warns(UserWarning, match="half a line of 50 bytes"):
        assert store.read() == [made_up(seed=0)]
    with pytest.warns(UserWarning, match="removed half a line"):
        store.append(made_up(seed=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.read() == [made_up(seed=0), made_up(seed=2)]


def test_a_whole_last_line_without_newline_is_kept(tmp_path, made_up):
    store = RecordStore(tmp_path / "records.jsonl")
    store.path.write_text(made_up(seed=0).to_json())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.read() == [made_up(seed=0)]
        store.append(made_up(seed=1))
        assert store.read() == [made_up(seed=0), made_up(seed=1)]


def test_a_bad_line_is_named(tmp_path, made_up):
    path = tmp_path / "records.jsonl"
    whole = made_up().to_json().encode()
    for bad in (b"", b"not json", whole[:-9], whole.replace(b'"train"', b'"gain"'), b"\xff"):
        path.write_bytes(b"\n".join([whole, bad, whole, b""]))
        with pytest.raises(InputError, match=r"records\.jsonl, line 2: ") as caught:
            RecordStore(path).read()
        assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch, made_up):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(made_up(seed=0))
    before = store.path.read_bytes()
    from fastscale.records import store as module

    real = module.os.write
    monkeypatch.setattr(module.os, "write", lambda descriptor, data: real(descriptor, data[:20]))
    with pytest.raises(OSError, match="only 20 of"):
        store.append(made_up(seed=1))
    assert store.path.read_bytes() == before

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: .*records\.jsonl"):
        store.append(made_up(seed=1))
    assert store.path.read_bytes() == before


_WRITE_MANY = """
import sys
from fastscale.records import Record, RecordStore
store = RecordStore(sys.argv[1])
record = Record.from_json(sys.stdin.read())
for seed in range(int(sys.argv[2]), int(sys.argv[2]) + 25):
    store.append(Record(**{**record.__dict__, "seed": seed}))
"""


def test_many_processes_append_at_once(tmp_path, made_up):
    path = tmp_path / "records.jsonl"
    line = made_up(env={"device": "d" * 5000, "date": "2020"}).to_json()
    commands = [
        [sys.executable, "-c", _WRITE_MANY, str(path), str(first)] for first in (0, 25, 50, 75)
    ]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for command in commands]
    for writer in writers:
        writer.stdin.write(line)
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0] * 4
    assert sorted(record.seed for record in RecordStore(path).read()) == list(range(100))


def test_a_writer_killed_in_a_line_loses_only_that_line(tmp_path, made_up):
    path = tmp_path / "records.jsonl"
    kill = """
import os, signal
real = os.write
def write(d, b):
    real(d, b[:30])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = write
"""
    store = RecordStore(path)
    store.append(made_up(seed=7))
    done = subprocess.run(
        [sys.executable, "-c", kill + _WRITE_MANY, str(path), "0"],
        input=made_up().to_json(),
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with pytest.warns(UserWarning, match="half a line of 30 bytes"):
        assert store.read() == [made_up(seed=7)]


def test_latest_is_the_last_of_each_fact(made_up):
    old, other = made_up(values={"top1_error": 50.0}), made_up(seed=1)
    new = made_up(values={"top1_error": 10.0}, env={**old.env, "date": "2021-01-01T00:00:00Z"})
    assert latest([old, other, new]) == [new, other]


def test_snapshot_is_sorted_unique_and_whole(tmp_path, made_up):
    records = [made_up(seed=seed) for seed in (2, 0, 1)]
    one = write_snapshot(tmp_path / "a" / "one.jsonl", records)
    two = write_snapshot(tmp_path / "two.jsonl", [*reversed(records), records[0]])
    assert one.read_bytes() == two.read_bytes()
    assert [record.seed for record in read_records(one)] == [0, 1, 2]
    assert [path.name for path in one.parent.iterdir()] == ["one.jsonl"]


def test_a_snapshot_must_exist(tmp_path, made_up):
    with pytest.raises(InputError, match="no such file of records"):
        read_records(tmp_path / "none.jsonl")


def test_a_record_is_added_only_once(tmp_path, made_up):
    store = RecordStore(tmp_path / "records.jsonl")
    for seed in (0, 1, 0, 1, 0):
        store.append(made_up(seed=seed))
    assert store.read() == [made_up(seed=0), made_up(seed=1)]
    store.path.write_text(made_up(seed=0).to_json())  # whole, without its newline
    store.append(made_up(seed=0))
    assert store.read() == [made_up(seed=0)]


def test_other_files_are_not_changed(tmp_path, made_up):
    text = tmp_path / "letter.txt"
    text.write_text("Dear reader, this has no last newline")
    link = tmp_path / "records.jsonl"
    link.symlink_to(text)
    for path in (link, text, tmp_path):
        with pytest.raises((InputError, IsADirectoryError)):
            RecordStore(path).append(made_up())
    assert text.read_text() == "Dear reader, this has no last newline"
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    for use in (RecordStore(pipe).read, lambda: RecordStore(pipe).append(made_up())):
        with pytest.raises(InputError, match="not a plain file"):
            use()


def test_check_finds_what_append_would_refuse(tmp_path, made_up):
    store = RecordStore(tmp_path / "runs" / "records.jsonl")
    store.check()
    assert not list((tmp_path / "runs").iterdir())
    store.append(made_up())
    before = store.path.read_bytes()
    store.check()
    assert store.path.read_bytes() == before
    store.path.write_text("no record")
    with pytest.raises(InputError, match="is not a record"):
        store.check()
    store.path.unlink()
    store.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="not a plain file"):
        store.check()
    assert not (tmp_path / "elsewhere").exists()
