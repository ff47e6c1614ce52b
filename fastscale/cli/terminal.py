"""Keeps control characters from the terminal: names of classes, files and servers are untrusted."""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from fastscale.common import plain

# how progress bars move: to the next line, and up past other bars
_MOVES = re.compile(r"(\n|\x1b\[A)*")


class PlainStream:
    """A text stream that escapes control characters (`\\x1b`).

    A leading carriage return and the moves of a progress bar pass. Output to a closed terminal is
    discarded, so that the command can still save its work.
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
        """Flushes the stream, unless its terminal is closed."""
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
        """Writes each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


@contextmanager
def says_new_folder(folder: Path) -> Iterator[None]:
    """For verbs that write: a missing folder is made, and a line on stderr says so."""
    missing = not folder.exists()
    yield
    if missing and folder.is_dir():
        print(f"made the folder {folder}", file=sys.stderr)


@contextmanager
def plain_output() -> Iterator[None]:
    """Makes stdout and stderr `PlainStream`s during the block."""
    before = sys.stdout, sys.stderr
    sys.stdout = PlainStream(sys.stdout)  # type: ignore[assignment]
    sys.stderr = PlainStream(sys.stderr)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
