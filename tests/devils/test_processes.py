"""Limits, signals, killed workers, planted links, pipes and closed streams: a process of its own
for each case, ended in one line, with nothing left behind and nothing alive after it."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fastscale.records import RecordStore
from tests.devils.conftest import ROOT, RUN, SHORT
from tests.devils.rule import control_characters

pytestmark = pytest.mark.slow
LONG = ["--model.recipe.epochs", "4000", "--checkpoint_every", "1"]  # it is ended, never ends
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


@pytest.fixture
def verb(made, tmp_path):
    """verb(name) -> the words of a command that is done in a second or two."""
    own = ["--data.source", made.source, "--data.data_dir", made.home / "data"]
    fit = ["fit", "--run", RUN, "--runs_dir", "runs", *own, *SHORT]
    store = ["data", "write", made.images, "--out", "store"]
    quick = ["--rounds", "1", "--round_s", "0.001", "--batch", "2", "--classes", "4"]
    timed = ["time", "regnety-tiny", "--device", "cpu", "--recipe", "quick", "--runs_dir", "runs"]
    words = {
        "fit": fit,
        "fit-plain": [*fit, "--data.loader", "plain", "--data.workers", "2"],
        "fit-long": [*fit, *LONG],
        "fit-plain-long": [*fit, *LONG, "--data.loader", "plain", "--data.workers", "2"],
        "write": [*store, "--workers", "0"],
        "write-2": [*store, "--workers", "2"],
        "time": [*timed, *quick],
        "time-separate": [*timed, *quick, "--separate"],
        "time-long": [*timed, "--separate", "--rounds", "99", "--round_s", "50", "--batch", "2"],
        "publish": [
            "checkpoint",
            "publish",
            made.run,
            "--out",
            "out",
            "--data",
            made.source,
            "--data.data_dir",
            made.home / "data",
            "--data.workers",
            "1",
        ],
        "report": ["report", "--out", "report.html"],
        "evaluate": [
            "evaluate",
            made.run,
            "--data",
            made.source,
            "--data.data_dir",
            made.home / "data",
        ],
        "predict": ["predict", made.images / "val" / "ant", "--checkpoint", made.release],
        "export": ["export", made.release, "tiny.pt2", "--to", "torch"],
        "import": ["checkpoint", "import", made.release, "--from", "timm"],
        "list": ["list"],
        "info": ["info", "regnety-tiny"],
    }
    return lambda name: words[name]


def one_line(ended, *codes):
    """It ended by one of the codes (0: then anything may be said) with one line on stderr."""
    assert ended.code in codes, ended
    # a signal that meets Python between two locks of a fork is said by Python and comes again
    ended.err = re.sub(r"Exception ignored in: (.+\n)+?\S*Stopped: \d+\n", "", ended.err)
    assert "Traceback" not in ended.out + ended.err, ended.err
    assert not control_characters(ended.out + ended.err), ended
    if ended.code and ended.code != -KILL:  # the killed say nothing
        assert len(ended.err.strip().splitlines()) == 1, ended.err


def left(folder):
    """Temporary files below the folder."""
    return [str(p) for p in folder.rglob("*") if p.name.endswith((".part", ".tmp"))]


def finished(folder):
    """The one record of the run in the folder."""
    (record,) = RecordStore(folder / "runs" / "records.jsonl").read()
    assert (folder / "runs" / RUN / "seed0" / "record.json").is_file()
    return record


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# ---- a full disk ------------------------------------------------------------------------------

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
    """No file may grow beyond `room` bytes: one line, nothing half, and the same command ends well
    when there is room again."""
    (tmp_path / "report.html").write_text("the page before")
    ended = nursery.run(tmp_path, *verb(name), limits={"FSIZE": room})
    one_line(ended, 1, 2)
    assert not left(tmp_path), left(tmp_path)
    assert (tmp_path / "report.html").read_text() == "the page before"
    again = nursery.run(tmp_path, *verb(name))
    assert again.code == 0 and not left(tmp_path), again
    if name == "fit":
        finished(tmp_path)


# ---- few files --------------------------------------------------------------------------------

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


# ---- signals ----------------------------------------------------------------------------------

SIGNALS = [
    ("fit-long", INT, 130),
    ("fit-long", TERM, 143),
    ("fit-long", KILL, -9),
    ("fit-plain-long", INT, 130),
    ("fit-plain-long", TERM, 143),
    ("fit-plain-long", KILL, -9),
]


@pytest.mark.parametrize(("name", "number", "code"), SIGNALS, ids=lambda value: str(value))
def test_a_signal_in_training(name, number, code, verb, nursery, tmp_path):
    """Saved, said how to go on; nothing outlives it; the same command goes on."""
    process = nursery.start(tmp_path, *verb(name))
    checkpoint = tmp_path / "runs" / RUN / "seed0" / "last.ckpt"
    until(checkpoint.is_file)
    time.sleep(0.5)
    process.signal(number)
    ended = process.wait()
    assert not process.outlived()
    one_line(ended, code)
    assert (number == KILL) or "same command" in ended.err + ended.out, ended
    assert number == KILL or not left(tmp_path)
    again = nursery.start(tmp_path, *verb(name))
    until(lambda: "after step" in again.read(0) + again.read(1))
    again.signal(TERM)
    one_line(again.wait(), 143)


@pytest.mark.parametrize("number", [INT, TERM, KILL])
@pytest.mark.parametrize("wait", [0.05, 0.6])
def test_a_signal_at_the_start(number, wait, verb, nursery, tmp_path):
    process = nursery.start(tmp_path, *verb("fit-long"))
    time.sleep(wait)
    process.signal(number)
    one_line(process.wait(), {INT: 130, TERM: 143, KILL: -9}[number], -number)
    assert not process.outlived()


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("wait", [0.3, 0.8])
def test_a_signal_in_an_evaluation(number, wait, verb, nursery, tmp_path):
    process = nursery.start(tmp_path, *verb("evaluate"))
    time.sleep(wait)
    process.signal(number)
    one_line(process.wait(), 0, 128 + number, -number)
    assert not process.outlived()


@pytest.mark.parametrize("number", [INT, TERM, KILL])
@pytest.mark.parametrize("name", ["time-long", "write-2"])
def test_no_worker_outlives(name, number, verb, nursery, tmp_path):
    slow = {"attributes": {"tests.devils.slow:SECONDS": 30.0}, "call": "tests.devils.slow:main"}
    process = nursery.start(tmp_path, *verb(name), **(slow if name == "write-2" else {}))
    until(lambda: len(process.alive()) > 1)
    time.sleep(1.0 if name == "time-long" else 0.3)
    process.signal(number)
    ended = process.wait()
    one_line(ended, {INT: 130, TERM: 143, KILL: -9}[number], -number)
    assert not process.outlived()
    assert number == KILL or not left(tmp_path)
    found = RecordStore(tmp_path / "runs" / "records.jsonl").read()
    assert not [r for r in found if not r.run.endswith(".reference")]


@pytest.mark.parametrize("name", ["fit-plain-long", "write-2"])
def test_a_killed_worker(name, verb, nursery, tmp_path):
    """The command ends in a line; it does not wait for ever."""
    slow = {"attributes": {"tests.devils.slow:SECONDS": 30.0}, "call": "tests.devils.slow:main"}
    process = nursery.start(tmp_path, *verb(name), **(slow if name == "write-2" else {}))
    until(lambda: len(process.alive()) > 2)
    time.sleep(0.3)
    while process.number in (alive := process.alive()):
        for worker in sorted(set(alive) - {process.number})[:1]:  # one that has given all its
            with suppress(ProcessLookupError):  # batches is not missed: so the next one too
                os.kill(worker, KILL)
        time.sleep(0.05)
    one_line(process.wait(), 1, 2)
    assert not process.outlived() and not left(tmp_path)


# ---- links, pipes, and places that cannot be written -------------------------------------------

PART = ".{host}-{pid}.part"
FIT_FILES = (
    "last.ckpt",
    "last.ckpt.sha256",
    "record.json",
    "settings.json",
    "config.yaml",
    "progress.json",
)
LINKS = [
    *[("fit", f"runs/{RUN}/seed0/{name}{end}") for name in FIT_FILES for end in (".part", PART)],
    *[
        ("write", f"store/{name}{end}")
        for name in ("train.beton", "train.json")
        for end in ("", ".part", PART)
    ],
    ("report", "report.html"),
    ("report", "report.html.part"),
    ("report", "report.html" + PART),
    *[
        ("publish", f"out/{name}{end}")
        for name in ("manifest.json", "records.jsonl", "README.md")
        for end in (".part", PART)
    ],
]


@pytest.mark.parametrize("name", ["fit", "write", "report", "publish"])
def test_links_at_every_temporary_name(name, verb, nursery, tmp_path, canary):
    """All planted at once: none is followed (the canary is as it was), the command ends well."""
    links = {str(tmp_path / path): str(canary / "text") for verb_, path in LINKS if verb_ == name}
    for path in links:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    ended = nursery.run(tmp_path, *verb(name), links=links)
    one_line(ended, 0)


@pytest.mark.parametrize(
    ("name", "path", "target"),
    [
        ("fit", "runs/records.jsonl", "text"),
        ("fit", "runs/records.jsonl", "records.jsonl"),
        ("fit", f"runs/{RUN}/seed0/settings.json", "text"),
        ("fit", f"runs/{RUN}/seed0/last.ckpt", "text"),
        ("fit", f"runs/{RUN}/seed0/record.json", "text"),
        ("fit", f"runs/{RUN}/seed0/config.yaml", "text"),
        ("fit", f"runs/{RUN}/seed0/progress.json", "text"),
        ("time", "runs/records.jsonl", "text"),
        ("time-separate", "runs/time-typed.log", "text"),
        ("publish", "out/records.jsonl", "records.jsonl"),
        ("publish", "out/manifest.json", "text"),
    ],
    ids=lambda value: str(value).replace("/", "-"),
)
def test_a_link_at_a_final_name(name, path, target, verb, nursery, tmp_path, canary):
    """Replaced or refused, never written through."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).symlink_to(canary / target)
    one_line(nursery.run(tmp_path, *verb(name)), 0, 1, 2)
    assert not left(tmp_path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *[
            ("fit", f"runs/{RUN}/seed0/{file}")
            for file in ("settings.json", "record.json", "last.ckpt")
        ],
        ("fit", "runs/records.jsonl"),
        ("time", "runs/records.jsonl"),
        ("write", "store/train.beton"),
        ("write", "store/train.json"),
        ("report", "report.html"),
        ("publish", "out/manifest.json"),
    ],
    ids=lambda value: str(value).replace("/", "-"),
)
def test_a_pipe_in_place_of_a_file(name, path, verb, nursery, tmp_path):
    """Nobody writes into it, so a reader would wait for ever."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / path)
    one_line(nursery.run(tmp_path, *verb(name), seconds=40), 0, 1, 2)


@pytest.mark.parametrize("place", ["/proc/nothing", "file/x"])
@pytest.mark.parametrize("name", ["fit", "time", "write", "publish", "report"])
def test_a_place_that_cannot_be_written(name, place, verb, nursery, tmp_path):
    (tmp_path / "file").write_text("in the way")
    option = {"fit": "--runs_dir", "time": "--runs_dir"}.get(name, "--out")
    one_line(nursery.run(tmp_path, *verb(name), option, place), 1, 2)
    assert (tmp_path / "file").read_text() == "in the way"


# ---- streams and variables --------------------------------------------------------------------


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
    """Read when Lightning is imported, so each has a process of its own from the start."""
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
def test_variables_of_our_own(variables, words, nursery, tmp_path):
    given = {"FASTSCALE_OFFLINE": "1", "FASTSCALE_DATA": str(tmp_path / "data"), **variables}
    one_line(nursery.run(tmp_path, *words, variables=given), 0, 1, 2)


def test_two_at_once(verb, nursery, tmp_path):
    """The second is told of the first, and leaves it alone."""
    first = nursery.start(tmp_path, *verb("fit-long"))
    until((tmp_path / "runs" / RUN / "seed0" / "settings.json").is_file)
    second = nursery.run(tmp_path, *verb("fit-long"))
    one_line(second, 2)
    first.signal(TERM)
    one_line(first.wait(), 143)
