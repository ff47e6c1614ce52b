"""Signals and killed workers.

Each case is a separate process that ends with one line, leaves nothing behind and has no survivors.
"""

import os
import select
import threading
import time
from contextlib import suppress

import pytest
import torch

from fastscale.records import RecordStore
from tests.devils.commands import CONT, HUP, INT, KILL, QUIT, RUN, STOP, TERM, left, one_line
from tests.devils.slow import slowly
from tests.waiting import until

pytestmark = pytest.mark.slow

SIGNALS = [
    ("fit-long", INT, 130),
    ("fit-long", TERM, 143),
    ("fit-long", HUP, 129),
    ("fit-long", QUIT, -3),
    ("fit-long", KILL, -9),
    ("fit-plain-long", INT, 130),
    ("fit-plain-long", TERM, 143),
    ("fit-plain-long", HUP, 129),
    ("fit-plain-long", QUIT, -3),
    ("fit-plain-long", KILL, -9),
]
AT_ONCE = (KILL, QUIT)  # nothing is saved or printed


@pytest.mark.parametrize(("name", "number", "code"), SIGNALS, ids=lambda value: str(value))
def test_a_signal_in_training(name, number, code, verb, nursery, tmp_path):
    """The run is saved with a line on how to resume, has no survivors, and resumes."""
    process = nursery.start(tmp_path, *verb(name), limits={"CORE": 0})
    checkpoint = tmp_path / "runs" / RUN / "seed0" / "last.ckpt"
    until(checkpoint.is_file)
    time.sleep(0.5)
    process.signal(number)
    ended = process.wait()
    assert not process.outlived()
    one_line(ended, code)
    assert number in AT_ONCE or "same command" in ended.err + ended.out, ended
    assert number in AT_ONCE or not left(tmp_path)
    again = nursery.start(tmp_path, *verb(name))
    until(lambda: "after step" in again.read(0) + again.read(1))
    again.signal(TERM)
    one_line(again.wait(), 143)


@pytest.mark.parametrize("number", [INT, TERM, HUP, KILL])
@pytest.mark.parametrize("wait", [0.05, 0.6])
def test_a_signal_at_the_start(number, wait, verb, nursery, tmp_path):
    process = nursery.start(tmp_path, *verb("fit-long"))
    time.sleep(wait)
    process.signal(number)
    one_line(process.wait(), 128 + number, -number)
    assert not process.outlived()


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("wait", [0.3, 0.8])
def test_a_signal_in_an_evaluation(number, wait, verb, nursery, tmp_path):
    process = nursery.start(tmp_path, *verb("evaluate"))
    time.sleep(wait)
    process.signal(number)
    one_line(process.wait(), 0, 128 + number, -number)
    assert not process.outlived()


@pytest.mark.parametrize("number", [INT, TERM, HUP, QUIT, KILL])
@pytest.mark.parametrize("name", ["time-long", "write-2"])
def test_no_worker_outlives(name, number, verb, nursery, tmp_path):
    more = slowly(30.0) if name == "write-2" else {}
    process = nursery.start(tmp_path, *verb(name), limits={"CORE": 0}, **more)
    until(lambda: len(process.alive()) > 1)
    time.sleep(1.0 if name == "time-long" else 0.3)
    process.signal(number)
    ended = process.wait()
    one_line(ended, 128 + number, -number)
    assert not process.outlived()
    assert number in AT_ONCE or not left(tmp_path)
    found = RecordStore(tmp_path / "runs" / "records.jsonl").read()
    assert not [r for r in found if not r.run.endswith(".reference")]


@pytest.mark.parametrize("name", ["fit-plain-long", "write-2"])
def test_a_killed_worker(name, verb, nursery, tmp_path):
    """The command ends with one line and does not hang."""
    process = nursery.start(tmp_path, *verb(name), **(slowly(30.0) if name == "write-2" else {}))
    until(lambda: len(process.alive()) > 2)
    time.sleep(0.3)
    while process.number in (alive := process.alive()):
        # one that has delivered all its batches is not missed: then the next one is killed too
        for worker in sorted(set(alive) - {process.number})[:1]:
            with suppress(ProcessLookupError):
                os.kill(worker, KILL)
        time.sleep(0.05)
    one_line(process.wait(), 1, 2)
    assert not process.outlived() and not left(tmp_path)


class Window:
    """A terminal window that shows its output until it is closed."""

    def __init__(self):
        self.ours, theirs = os.openpty()
        self.name, self.theirs, self.shown = os.ttyname(theirs), theirs, b""
        self.open = True
        self.thread = threading.Thread(target=self.show)
        self.thread.start()

    def show(self):
        while self.open:
            if select.select([self.ours], [], [], 0.05)[0]:
                self.shown += os.read(self.ours, 4096)

    def close(self):
        self.open = False
        self.thread.join()
        os.close(self.theirs)
        os.close(self.ours)


@pytest.mark.parametrize("name", ["fit-long", "fit-plain-long", "write-2", "time-long"])
def test_a_closed_terminal(name, verb, nursery, tmp_path):
    """As after SIGTERM, but nothing can be printed.

    All processes of the terminal get SIGHUP, and writing to it fails.
    """
    window = Window()
    more = slowly(30.0) if name == "write-2" else {}
    process = nursery.start(tmp_path, *verb(name), out=window.name, err=window.name, **more)
    fits = name.startswith("fit")
    saved = tmp_path / "runs" / RUN / "seed0" / "progress.json"
    until(lambda: saved.is_file() if fits else len(process.alive()) > 1)
    time.sleep(0.5)
    window.close()
    assert process.wait().code == 128 + HUP
    assert not process.outlived() and not left(tmp_path)
    if fits:
        again = nursery.start(tmp_path, *verb(name))
        until(lambda: "after step" in again.read(0) + again.read(1))
        again.signal(TERM)
        one_line(again.wait(), 143)


def test_nohup(verb, nursery, tmp_path):
    """Training continues after SIGHUP."""
    process = nursery.start(tmp_path, *verb("fit-long"), ignored=[HUP])
    progress = tmp_path / "runs" / RUN / "seed0" / "progress.json"
    until(progress.is_file)
    process.signal(HUP)
    before = progress.read_text()
    until(lambda: progress.read_text() != before)
    process.signal(TERM)
    one_line(process.wait(), 143)


@pytest.mark.parametrize("whom", ["all", "parent", "workers"])
@pytest.mark.parametrize("name", ["fit", "fit-plain"])
def test_a_pause_in_training(name, whom, verb, nursery, tmp_path, unpaused):
    """Ctrl-Z and `fg`: the run ends with the weights of a run without a pause."""
    weights = trained(nursery, tmp_path, verb(name), lambda process: pause(process, whom, 1.5))
    if name not in unpaused:
        (tmp_path / "unpaused").mkdir()
        unpaused[name] = trained(nursery, tmp_path / "unpaused", verb(name))
    assert all(torch.equal(value, weights[key]) for key, value in unpaused[name].items())


@pytest.fixture(scope="module")
def unpaused():
    """Weights of the runs without a pause, by verb."""
    return {}


def trained(nursery, folder, words, meanwhile=lambda process: None):
    """The weights after 30 epochs; `meanwhile` is called after the first."""
    process = nursery.start(folder, *words, "--model.recipe.epochs", "30")
    until((folder / "runs" / RUN / "seed0" / "last.ckpt").is_file)
    meanwhile(process)
    one_line(process.wait(120), 0)
    assert not process.outlived()
    content = torch.load(folder / "runs" / RUN / "seed0" / "last.ckpt", weights_only=True)
    return content["state_dict"]


@pytest.mark.parametrize("whom", ["all", "parent", "workers"])
def test_a_pause_in_writing(whom, verb, nursery, made, tmp_path):
    process = nursery.start(tmp_path, *verb("write-2"), **slowly(0.1))
    until(lambda: len(process.alive()) > 2)
    pause(process, whom, 1.5)
    one_line(process.wait(), 0)
    for name in ("train.beton", "val.beton"):
        assert (tmp_path / "store" / name).read_bytes() == (made.store / name).read_bytes()


def pause(process, whom, seconds):
    """Stop all processes, the first, or the others, and continue them later."""
    chosen = {"all": process.alive(), "parent": [process.number]}
    workers = [pid for pid in process.alive() if pid != process.number]
    for number in (STOP, CONT):
        for pid in chosen.get(whom, workers):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(seconds if number == STOP else 0)
