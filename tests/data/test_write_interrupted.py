"""`data write` on a full disk, interrupted, killed and beside another writer.

Files are complete or absent, and no older file is lost.
"""

import os
import resource
import signal
import subprocess
import threading
import time

import pytest

from fastscale.common.writing import _host
from fastscale.data import read_info, source
from fastscale.data.info import BetonInfo
from fastscale.data.write import write
from fastscale.errors import InputError
from tests.data.conftest import left
from tests.waiting import until

FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
from fastscale.data.write import write
from fastscale.errors import InputError
try:
    write(sys.argv[1], sys.argv[2], raw_share=1.0, workers=int(sys.argv[4]))
except InputError as e:
    print("SAID", e)
    sys.exit(2)
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("room", [100_000, (1 << 21) + 200_000, (1 << 21) + 1_048_576 + 300])
def test_a_full_disk_leaves_nothing(tree, tmp_path, python, room, workers):
    """A limit on file size acts as a full disk: before, within and behind the image data."""
    r = python(FULL, tree, tmp_path / "out", room, workers)
    assert r.returncode == 2 and "SAID cannot write" in r.stdout and "Traceback" not in r.stderr, (
        r.stdout + r.stderr
    )
    assert left(tmp_path / "out") == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_full_disk_keeps_the_older_file(tree, tmp_path, python, lines):
    write(str(tree), tmp_path / "out", progress=lines, workers=0)
    old = (tmp_path / "out" / "train.beton").read_bytes()
    assert python(FULL, tree, tmp_path / "out", 100_000, 0).returncode == 2
    assert (tmp_path / "out" / "train.beton").read_bytes() == old and read_info(
        tmp_path / "out" / "train.beton"
    ).count == 24


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_between_the_renames_leaves_no_mismatched_pair(tree, lines, monkeypatch, failing):
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    calls, real = [], os.replace

    def replace(a, b):
        calls.append(b)
        if len(calls) > failing:
            raise OSError(28, "No space left on device")
        real(a, b)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(InputError, match="cannot write .*: No space left on device"):
        write(s, jpeg_quality=50, progress=lines, workers=0)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"train\.json: missing"):
        read_info(s.betons / "train.beton")
    assert not list(s.betons.glob("*.part")) and read_info(s.betons / "val.beton").count == 9


def test_a_full_disk_at_the_description_keeps_the_older_pair(tree, lines, monkeypatch):
    s = source(str(tree))
    write(s, progress=lines, workers=0)

    def text(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BetonInfo, "text", text)
    with pytest.raises(InputError, match="No space left on device"):
        write(s, jpeg_quality=50, progress=lines, workers=0)
    assert read_info(s.betons / "train.beton").settings["jpeg_quality"] is None
    assert left(s.betons) == ["train.beton", "train.json", "val.beton", "val.json"]


def test_a_folder_that_cannot_be_written_is_one_line(tree, tmp_path, lines):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write in"):
        write(str(tree), tmp_path / "file" / "out", progress=lines)


def test_parts_left_by_killed_runs_are_removed_by_the_next(tree, lines):
    """Those of any file are removed, but not those of a living process."""
    s = source(str(tree))
    write(s, progress=lines, workers=0)
    dead = subprocess.Popen(["true"])
    dead.wait()
    parts = {}
    for folder, name in ((s.home, "digest-train.json"), (s.betons, "train.json")):
        for pid in (dead.pid, os.getpid()):
            parts[folder / f"{name}.{_host()}-{pid}.part"] = pid == os.getpid()
    for part in parts:
        part.write_text("half")
    write(s, progress=lines, workers=0)
    assert {part: part.exists() for part in parts} == parts


SLOW = """
import sys, time
from fastscale.data import encode, write
real = encode.encode
def slow(*a):
    time.sleep(0.05)
    return real(*a)
encode.encode = slow
encode.CHUNK = 2
print("started", flush=True)
write.write(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]))
"""


def children(pid):
    out = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat") as f:
                    after = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(after[1]) == pid and after[0] != "Z":
                out.add(int(entry.name))
    return out


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_leaves_nothing(tree, tmp_path, start_python, workers):
    p = start_python(SLOW, tree, tmp_path / "out", workers)
    until(lambda: list((tmp_path / "out").glob("train.beton.*.part")))
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=30)
    assert p.returncode != 0 and "KeyboardInterrupt" in err
    assert left(tmp_path / "out") == []


def test_leftovers_of_kill_9_are_removed_and_its_workers_end(tree, tmp_path, start_python, lines):
    p = start_python(SLOW, tree, tmp_path / "out", 2)
    until(lambda: list((tmp_path / "out").glob("train.beton.*.part")) and len(children(p.pid)) == 2)
    workers = children(p.pid)
    p.kill()
    p.wait(timeout=30)
    assert [n.split(".")[1] for n in left(tmp_path / "out")] == ["beton", "json"], "two parts"
    until(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers))
    write(str(tree), tmp_path / "out", progress=lines, workers=0)
    assert left(tmp_path / "out") == ["train.beton", "train.json", "val.beton", "val.json"]


def test_a_killed_worker_is_an_error_not_a_hang(tree, tmp_path, start_python):
    p = start_python(SLOW, tree, tmp_path / "out", 2)
    until(lambda: len(children(p.pid)) == 2)
    os.kill(min(children(p.pid)), signal.SIGKILL)
    _, err = p.communicate(timeout=30)
    assert (
        "InputError: a process that encodes images was killed" in err
        and left(tmp_path / "out") == []
    )


def test_a_second_writer_of_a_folder_waits(tree, tmp_path, lines):
    results = []

    def job():
        results.append(write(str(tree), tmp_path / "out", progress=lines, workers=0))

    threads = [threading.Thread(target=job) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert results[0] == results[1] and sum("is already written" in line for line in lines) == 2
    assert any("waiting for another process" in line for line in lines)
