"""Ctrl-C, SIGTERM and kill -9 of `time`: one line, the shell's exit code and no children left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastscale.records import RecordStore
from tests.waiting import soon

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.slow


def started(folder, *words):
    """`fastscale` in a new session, and the mark of its processes."""
    mark = f"FASTSCALE_TEST_MARK={folder}"
    environment = {**ENVIRONMENT, "FASTSCALE_TEST_MARK": str(folder), "FASTSCALE_RUNS": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "fastscale", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return process, mark.encode()


def living(mark):
    """Processes of any session with the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if mark in (folder / "environ").read_bytes().split(b"\0") and state != "Z":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def long_sweep(folder):
    """A sweep whose worker is in a long measurement."""
    process, mark = started(
        folder,
        *("time", "regnety-tiny", "regnety-tiny.dWr-x2", "--separate", "--recipe", "quick"),
        *("--batch", "2", "--rounds", "40", "--round_s", "0.5", "--device", "cpu"),
        *("--runs_dir", str(folder)),
    )
    assert "log:" in process.stdout.readline()
    log = folder / "time-typed.log"
    assert soon(log.is_file) and soon(lambda: len(living(mark)) >= 3)
    time.sleep(1)
    return process, mark


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_sweep_in_one_line(tmp_path, number, code):
    process, mark = long_sweep(tmp_path)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.count("\n") == 1 and "the same command resumes" in err
    assert soon(lambda: not living(mark), 20)


def test_no_worker_outlives_a_killed_sweep(tmp_path):
    process, mark = long_sweep(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = len(RecordStore(tmp_path / "records.jsonl").read())
    assert soon(lambda: not living(mark), 10)
    assert len(RecordStore(tmp_path / "records.jsonl").read()) == before


def test_ctrl_c_of_a_whole_group_is_one_line_too(tmp_path):
    process, mark = long_sweep(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.count("\n") == 1
    assert soon(lambda: not living(mark), 20)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_interleaved_timings(tmp_path, number, code):
    process, _ = started(
        tmp_path,
        *("time", "regnety-tiny", "--recipe", "quick", "--batch", "2", "--rounds", "100"),
        *("--round_s", "1", "--device", "cpu", "--runs_dir", str(tmp_path)),
    )
    assert soon(lambda: b"libtorch" in Path(f"/proc/{process.pid}/maps").read_bytes())
    time.sleep(4)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code and err.count("\n") == 1
    assert not (tmp_path / "records.jsonl").exists()
