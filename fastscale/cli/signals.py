"""Ctrl-C, SIGTERM and a closed terminal end a verb in order: its children are gone, one line says
how it goes on."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastscale.common import ending_signals


class Ended(SystemExit):
    """A signal asked this command to end; `code` is the shell's for it, as 130 for Ctrl-C."""


@contextmanager
def ended_by_signals(goes_on: str) -> Iterator[None]:
    """While the block runs, the signals that end a command unwind it (so that it ends its
    children), then one line on stderr says so and how it `goes_on`; the exit code is 128 and the
    signal's number.

    A second signal changes nothing: the block is being unwound already.
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
