"""Ctrl-C, SIGTERM and a closed terminal in a run: save what was trained, say how to go on, end with
130, 143 or 129."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastscale.common import ending_signals


class Stopped(SystemExit):
    """A run that was told to end; its code is 128 and the signal's number: 130 for Ctrl-C."""

    def __init__(self, number: int):
        super().__init__(128 + number)


class Stopping:
    """Which signal came, and what is done about it.

    Within training steps it is only noted (`patient`): the run saves after the step under way, then
    ends. Elsewhere the wait would be long and there is nothing to lose, so `Stopped` is raised
    where the process stands; a second Ctrl-C does so in any case. `line`: what is said then.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.came = 0
        self.patient = self.saving = self.raised = False
        self.line = "stopped before the first step, with nothing to save; the same command begins"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the block runs, the signals that end a command come here."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.take) for number in ending_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def take(self, number: int, _frame: Any = None) -> None:
        """A signal has come."""
        if os.getpid() != self.process:  # a forked worker, whose end its parent decides
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        first, self.came = not self.came, self.came or number
        if number == signal.SIGTERM and in_a_cluster_job():
            return
        if not self.saving and (not self.patient or (number == signal.SIGINT and not first)):
            self.raised = True
            raise Stopped(self.came)

    def end_if_asked(self) -> None:
        """Raises `Stopped` for a signal that was only noted."""
        if self.asked:
            raise Stopped(self.came)

    @property
    def asked(self) -> bool:
        """Whether the run is to end. In a job of submitit SIGTERM only announces that the job will
        be pre-empted: the run saves, and the signal that has it requeued follows."""
        return bool(self.came) and not (self.came == signal.SIGTERM and in_a_cluster_job())


def in_a_cluster_job() -> bool:
    """Whether submitit runs this process."""
    return "SUBMITIT_EXECUTOR" in os.environ
