"""Ctrl-C, SIGTERM and a closed terminal: save the run, say how to resume, exit 130, 143 or 129."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastscale.common import ending_signals


class Stopped(SystemExit):
    """Ends a run after a signal; the exit code is 128 plus the signal's number (130: Ctrl-C)."""

    def __init__(self, number: int):
        super().__init__(128 + number)


class Stopping:
    """Which signal came, and what is done about it.

    During training steps it is only noted (`patient`): the run saves after the current step, then
    ends. Elsewhere there is nothing to save and the wait would be long, so `Stopped` is raised at
    once; a second Ctrl-C always raises it. `line`: printed at the end.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.came = 0
        self.patient = self.saving = self.raised = False
        self.line = "stopped before the first step, with nothing to save; the same command begins"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handles the signals that end a command while the block runs."""
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
        """Handles a signal."""
        if os.getpid() != self.process:  # a forked worker: its parent decides when it ends
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
        """Raises `Stopped` if a signal was noted."""
        if self.asked:
            raise Stopped(self.came)

    @property
    def asked(self) -> bool:
        """Whether the run has to end.

        In a job of submitit SIGTERM only announces that the job will be pre-empted: the run saves,
        and the signal that requeues it follows.
        """
        return bool(self.came) and not (self.came == signal.SIGTERM and in_a_cluster_job())


def in_a_cluster_job() -> bool:
    """Whether submitit runs this process."""
    return "SUBMITIT_EXECUTOR" in os.environ
