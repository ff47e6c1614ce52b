"""Processes of `fastscale` that start in milliseconds, forked from one with all imports.

`python -m tests.devils.nursery` reads orders, one line of JSON each, and answers with lines of
JSON: the process id at the start, the exit code at the end. The tests' side is `Nursery`.
"""

import faulthandler
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def serve() -> dict[str, Any]:
    """Fork a process for each order. Returns the order in the new process, never in this one."""
    lines = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.02)
        if ready:
            some = os.read(0, 1 << 16)
            if not some:
                os._exit(0)
            *orders, lines = (lines + some).split(b"\n")
            for order in orders:
                if not (child := os.fork()):
                    return json.loads(order)
                answer(started=child)
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not child:
                break
            answer(ended=child, code=os.waitstatus_to_exitcode(status))


def answer(**values: int) -> None:
    os.write(1, (json.dumps(values) + "\n").encode())


def become(order: dict[str, Any]) -> None:
    """Set up this process by the order: folder, variables, limits, streams, links, faults."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in order.get("ignored", ()):
        signal.signal(number, signal.SIG_IGN)
    os.chdir(order["folder"])
    os.environ.update(order.get("variables", {}))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")):
        place = order.get(name)
        if place is None:
            os.close(number)
        else:
            # open for reading too, so that a terminal becomes the controlling one and sends SIGHUP
            os.dup2(os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    for name, value in order.get("attributes", {}).items():
        module, _, attribute = name.partition(":")
        setattr(importlib.import_module(module), attribute, value)
    if "home" in order:
        from fastscale.home import using_home

        using_home(order["home"]).__enter__()
    faulthandler.register(signal.SIGUSR1)  # prints where a process hangs
    from fastscale.common import writing

    for path, target in order.get("links", {}).items():
        os.symlink(target, path.format(pid=os.getpid(), host=writing._host()))
    if "watched" in order:
        from tests.devils.killing import Killer

        Killer(Path(order["watched"]), order.get("at", 0), Path(order["log"])).watch()
    for name, most in order.get("limits", {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


@dataclass
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Process:
    """A running process. Its id is also the session of its descendants."""

    nursery: "Nursery"
    number: int
    files: tuple[Path | None, Path | None]
    began: float = field(default_factory=time.monotonic)

    def signal(self, number: int) -> None:
        """Send a signal to this process alone."""
        os.kill(self.number, number)

    def wait(self, seconds: float = 60.0) -> Ended:
        """Wait for its end; after so many seconds it is killed, with AssertionError."""
        code = self.nursery.code_of(self.number, seconds)
        if code is None:
            self.signal(signal.SIGUSR1)
            time.sleep(0.5)
            os.killpg(self.number, signal.SIGKILL)
            self.nursery.code_of(self.number, 10)
            raise AssertionError(f"no end after {seconds} s: {self.read(0)} {self.read(1)}")
        return Ended(code, self.read(0), self.read(1), time.monotonic() - self.began)

    def read(self, which: int) -> str:
        """What it wrote to stdout (0) or stderr (1)."""
        path = self.files[which]
        return path.read_text(errors="replace") if path and path.is_file() else ""

    def alive(self) -> list[int]:
        """The running processes of its session: itself and its descendants."""
        return [pid for pid, session in sessions().items() if session == self.number]

    def outlived(self, seconds: float = 30.0) -> list[int]:
        """The processes of its session that still run after so many seconds."""
        end = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < end:
            time.sleep(0.05)
        return left


def sessions() -> dict[int, int]:
    """The session of every process that is not a zombie."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX":
                found[int(entry.name)] = int(fields[3])
    return found


class Nursery:
    """Starts processes, until `close`."""

    def __init__(self, home: Path):
        self.home, self.made = home, 0
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        variables |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.devils.nursery"],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.data = str(home / "data")  # not the user's cache
        self.codes: dict[int, int] = {}
        self.started: list[int] = []
        self.rest = b""

    def start(self, folder: Path, *words: object, **order: Any) -> Process:
        """`fastscale WORDS` in `folder`; see `become` for the rest of an order."""
        self.made += 1
        files = []
        for name in ("out", "err"):
            order.setdefault(name, str(self.home / f"{self.made}.{name}"))
            files.append(Path(order[name]) if order[name] else None)
        order["variables"] = {"FASTSCALE_DATA": self.data, **order.get("variables", {})}
        order |= {"folder": str(folder), "words": [str(word) for word in words]}
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(order) + "\n").encode())
        self.process.stdin.flush()
        end = time.monotonic() + 120  # the first process waits for the imports
        while not self.started:
            assert time.monotonic() < end, "the nursery does not answer"
            self._listen(0.5)
        return Process(self, self.started.pop(), (files[0], files[1]))

    def run(self, folder: Path, *words: object, seconds: float = 60.0, **order: Any) -> Ended:
        """Start a process and wait for its end."""
        return self.start(folder, *words, **order).wait(seconds)

    def code_of(self, number: int, seconds: float) -> int | None:
        """The exit code (minus the signal) of a process; None if it has not ended in time."""
        end = time.monotonic() + seconds
        while number not in self.codes and time.monotonic() < end:
            self._listen(0.1)
        return self.codes.pop(number, None)

    def _listen(self, seconds: float) -> None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            return
        some = os.read(self.process.stdout.fileno(), 1 << 16)
        assert some, "the nursery ended"
        *lines, self.rest = (self.rest + some).split(b"\n")
        for line in lines:
            found = json.loads(line)
            if "started" in found:
                self.started.append(found["started"])
            else:
                self.codes[found["ended"]] = found["code"]

    def close(self) -> None:
        """End the process that forks."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


if __name__ == "__main__":
    from tests.devils.conftest import IMPORTED

    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal; the tests close this process
    order = serve()
    become(order)
    sys.argv = ["fastscale", *order["words"]]
    module, _, function = order.get("call", "fastscale.cli:main").partition(":")
    sys.exit(getattr(importlib.import_module(module), function)(order["words"]))
