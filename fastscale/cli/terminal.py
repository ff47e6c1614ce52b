"""What reaches the terminal: text alone. Names of classes, files and servers are other people's."""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from fastscale.common import plain

# what progress bars write to move: back to the line's start, and up past other bars
_MOVES = re.compile(r"(\n|\x1b\[A)*")


class PlainStream:
    """A text stream that writes control characters out (`\\x1b`) instead of sending them.

    A leading carriage return and the moves of a progress bar pass. Once a terminal is closed, what
    is written to it goes nowhere: the work behind it is saved first.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes `plain(text)`; returns the length of `text`."""
        if not _MOVES.fullmatch(text):
            start = "\r" if text.startswith("\r") else ""
            shown = start + plain(text[len(start) :])
            self._unless_closed(self._stream.write, shown)
        else:
            self._unless_closed(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream."""
        self._unless_closed(self._stream.flush)

    def _unless_closed(self, call: Callable[..., Any], *args: str) -> None:
        try:
            call(*args)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            number = self._stream.fileno()
            if not stat.S_ISCHR(os.fstat(number).st_mode):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)

    def writelines(self, lines: Any) -> None:
        """Writes each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


@contextmanager
def plain_output() -> Iterator[None]:
    """While the block runs, stdout and stderr are `PlainStream`s."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = PlainStream(sys.stdout), PlainStream(sys.stderr)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
