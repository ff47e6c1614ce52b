"""Ends a verb cleanly on Ctrl-C, SIGTERM and a closed terminal.

Its children are ended, and one line says how to continue.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastscale.common import ending_signals


class Ended(SystemExit):
    """A signal asked this command to end; `code` is the shell's exit code, as 130 for Ctrl-C."""


@contextmanager
def ended_by_signals(goes_on: str) -> Iterator[None]:
    """In this block, the signals that end a command raise `Ended`, so that children are ended.

    One line on stderr then names the signal and says how the command `goes_on`. The exit code is
    128 + the signal's number. Further signals are ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = ending_signals()

    def end(number: int, frame: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(128 + number)

    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    except Ended as error:
        name = signal.Signals(int(error.code or 0) - 128).name
        print(f"ended by {name}; {goes_on}", file=sys.stderr)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
