"""The worker of a sweep as the sweep sees it: started, asked, given up, and started again."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.timing import worker
from fastscale.timing.grid import Grid

# Forked from a process that has imported what all need; where its imports leave a GPU unusable,
# each worker imports it again.
METHODS = ("forkserver", "spawn")
PRELOAD = [
    "fastscale.timing.worker",
    "torch._dynamo",  # which an optimizer imports at its first step
]
READY_S = 120.0


class TimeIsUp(Exception):
    """The sweep's time ended while a worker was at work."""


class Crew:
    """At most one worker at a time, which does one job after another.

    `name` and `threads`: of the device, as records have them. InputError where it cannot be used.
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
        """The record of a job, or why there is none. TimeIsUp where the sweep's time ends first."""
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
            word, said, *rest = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(10)
            code = self.process.exitcode
            self.dismiss()
            return f"its process ended with exit code {code}"
        if word == "done":
            return Record.from_json(said)
        if not all(rest):  # the device is lost to that process
            self.dismiss()
        return str(said)

    @property
    def at_work(self) -> bool:
        """Whether there is a worker."""
        return self.pipe is not None

    def dismiss(self) -> None:
        """Ends the worker, whatever it does."""
        if self.process is not None and self.process.is_alive():
            self.process.kill()
        if self.process is not None:
            self.process.join()
        if self.pipe is not None:
            self.pipe.close()
        self.process = self.pipe = None

    def _started(self) -> tuple[str, int] | None:
        """The device's name and thread count, of a new worker; None where it does not come up."""
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
        raise InputError(f"device {place.device!r} cannot be used; {place.log} says why")
