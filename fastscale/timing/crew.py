"""The sweep's side of its worker process: it starts it, sends jobs, gives up and restarts it."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.timing import worker
from fastscale.timing.grid import Grid

# forkserver forks workers from a process with the imports done. If these leave a GPU unusable,
# spawn lets each worker import again.
METHODS = ("forkserver", "spawn")
PRELOAD = [
    "fastscale.timing.worker",
    "torch._dynamo",  # an optimizer imports it at its first step
]
READY_S = 120.0


class TimeIsUp(Exception):
    """The sweep's time ended while a worker was measuring."""


class Crew:
    """At most one worker at a time, for one job after another.

    `name` and `threads`: the device's, as in records. InputError if the device cannot be used.
    """

    def __init__(self, grid: Grid, place: worker.Place):
        self.grid, self.place = grid, place
        self.process: Any = None
        self.pipe: Connection | None = None
        for method in METHODS:
            self.context: Any = multiprocessing.get_context(method)
            if method == "forkserver":
                self.context.set_forkserver_preload(PRELOAD)
            if answer := self._started():
                self.name, self.threads = answer
                return
        self._refuse()

    def ask(self, job: worker.Job, limit_s: float, time_is_up: Callable[[], bool]) -> Record | str:
        """The record of a job, or why there is none. TimeIsUp if the sweep's time ends first."""
        if self.pipe is None and not self._started():
            self._refuse()
        assert self.pipe is not None
        began = time.monotonic()
        try:
            self.pipe.send(job)
            while not self.pipe.poll(0.05):
                if time_is_up():
                    self.dismiss()
                    raise TimeIsUp
                if time.monotonic() - began > limit_s:
                    self.dismiss()
                    return f"given up after {limit_s:.0f} s"
            word, text, *rest = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(10)
            code = self.process.exitcode
            self.dismiss()
            return f"its process ended with exit code {code}"
        if word == "done":
            return Record.from_json(text)
        if not all(rest):  # that process can no longer use the device
            self.dismiss()
        return str(text)

    @property
    def at_work(self) -> bool:
        """Whether there is a worker."""
        return self.pipe is not None

    def dismiss(self) -> None:
        """Kills the worker."""
        if self.process is not None and self.process.is_alive():
            self.process.kill()
        if self.process is not None:
            self.process.join()
        if self.pipe is not None:
            self.pipe.close()
        self.process = self.pipe = None

    def _started(self) -> tuple[str, int] | None:
        """Starts a worker: the device's name and thread count, or None if it does not come up."""
        mine, its = self.context.Pipe()
        self.process = self.context.Process(target=worker.work, args=(its, self.grid, self.place))
        self.process.start()
        its.close()
        self.pipe = mine
        try:
            if mine.poll(READY_S):
                _, name, threads = mine.recv()
                return name, threads
        except (EOFError, OSError):
            pass
        self.dismiss()
        return None

    def _refuse(self) -> None:
        place = self.place
        raise InputError(f"device {place.device!r} cannot be used; see {place.log}")
