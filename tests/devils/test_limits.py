"""Full disks, few open files, closed streams and odd variables.

Each case is a separate process that ends with one line and leaves nothing behind.
"""

import os
import subprocess
import sys

import pytest

from tests.devils.commands import finished, left, one_line
from tests.devils.conftest import ROOT

pytestmark = pytest.mark.slow

FULL = [
    ("fit", 300),
    ("fit", 20_000),
    ("fit", 200_000),
    ("write", 1_000),
    ("write", 3_000_000),
    ("write-2", 100_000),
    ("publish", 100_000),
    ("report", 100),
    ("time", 200),
    ("export", 10_000),
]


@pytest.mark.parametrize(("name", "room"), FULL, ids=lambda value: str(value))
def test_a_full_disk(name, room, verb, nursery, tmp_path):
    """No file may grow beyond `room` bytes.

    The command ends with one line and leaves no partial file; it succeeds once there is room.
    """
    (tmp_path / "report.html").write_text("the page before")
    ended = nursery.run(tmp_path, *verb(name), limits={"FSIZE": room})
    one_line(ended, 1, 2)
    assert not left(tmp_path), left(tmp_path)
    assert (tmp_path / "report.html").read_text() == "the page before"
    again = nursery.run(tmp_path, *verb(name))
    assert again.code == 0 and not left(tmp_path), again
    if name == "fit":
        finished(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(size) -> a disk of so many bytes, new or enlarged, that holds only a page."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def of_size(size):
        mounted = os.path.ismount(folder)
        options = f"{'remount,' if mounted else ''}size={size}"
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("no permission to mount a disk")
        if not mounted:
            (folder / "report.html").write_text("the page before")
        return folder

    yield of_size
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


SMALL = [
    ("fit", 20_000),
    ("fit", 300_000),
    ("fit", 600_000),
    ("fit-plain", 300_000),
    ("write", 8_192),
    ("write", 100_000),
    ("write-2", 100_000),
    ("publish", 60_000),
    ("publish", 120_000),
    ("report", 400_000),
    ("time", 4_096),
    ("time-separate", 4_096),
    ("export", 60_000),
]


@pytest.mark.parametrize(("name", "size"), SMALL, ids=lambda value: str(value))
def test_a_small_disk(name, size, verb, nursery, small_disk):
    """The same on a full file system, where nothing more can be written."""
    folder = small_disk(size)
    one_line(nursery.run(folder, *verb(name)), 1, 2)
    assert not left(folder), left(folder)
    assert (folder / "report.html").read_text() == "the page before"
    small_disk(200_000_000)
    again = nursery.run(folder, *verb(name))
    assert again.code == 0 and not left(folder), again
    if name.startswith("fit"):
        finished(folder)


FEW = [
    ("fit-plain", 16),
    ("fit-plain", 32),
    ("fit", 16),
    ("write-2", 16),
    ("write-2", 32),
    ("report", 16),
    ("evaluate", 32),
    ("predict", 16),
    ("time-separate", 32),
]


@pytest.mark.parametrize(("name", "most"), FEW, ids=lambda value: str(value))
def test_few_open_files(name, most, verb, nursery, tmp_path):
    process = nursery.start(tmp_path, *verb(name), limits={"NOFILE": most})
    one_line(process.wait(), 0, 1, 2)
    assert not process.outlived() and not left(tmp_path)


@pytest.mark.parametrize("name", ["list", "info", "report"])
@pytest.mark.parametrize("stream", [None, "/dev/full"])
def test_stdout_closed_or_full(name, stream, verb, nursery, tmp_path):
    ended = nursery.run(tmp_path, *verb(name), out=stream)
    assert ended.code in (0, 1, 2, 120) and "Traceback" not in ended.err, ended.err


def test_a_reader_that_goes_away(tmp_path):
    """`fastscale list | head -1`"""
    command = f"{sys.executable} -m fastscale list | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


VARIABLES = [
    {"RANK": "abc"},
    {"LOCAL_RANK": "x", "WORLD_SIZE": "2"},
    {"SLURM_PROCID": "x"},
    {"WORLD_SIZE": "-1", "RANK": "0"},
    {
        "MASTER_PORT": "x",
        "WORLD_SIZE": "2",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
    },
]


@pytest.mark.parametrize("variables", VARIABLES, ids=lambda value: "-".join(value))
def test_variables_of_a_cluster(variables, verb, tmp_path, made):
    """Lightning reads them when it is imported, so each case is a new process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    words = [sys.executable, "-m", "fastscale", *map(str, verb("fit"))]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode in (0, 1, 2) and "Traceback" not in done.stderr, done.stderr
    assert not done.returncode or len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"FASTSCALE_DATA": "/dev/null"},
        {"FASTSCALE_RUNS": "/dev/null"},
        {"FASTSCALE_CHECKPOINTS": "/dev/null"},
        {"HOME": ""},
        {"FASTSCALE_DATA": ""},
        {"COLUMNS": "x"},
        {"TMPDIR": "/nothing"},
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()).replace("/", "_"),
)
@pytest.mark.parametrize("words", [("checkpoint", "list"), ("data", "write", "fashion-mnist")])
def test_odd_variables(variables, words, nursery, tmp_path):
    given = {"FASTSCALE_OFFLINE": "1", "FASTSCALE_DATA": str(tmp_path / "data"), **variables}
    one_line(nursery.run(tmp_path, *words, variables=given), 0, 1, 2)
