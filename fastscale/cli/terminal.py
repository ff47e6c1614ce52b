"""What reaches the terminal: text alone. Names of classes, files and servers are other people's."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from fastscale.common import plain

# what progress bars write to move: back to the line's start, and up past other bars
_MOVES = re.compile(r"(\n|\x1b\[A)*")


class PlainStream:
    """A text stream that writes control characters out (`\\x1b`) instead of sending them.

    A leading carriage return and the moves of a progress bar pass.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes `plain(text)`; returns the length of `text`."""
        if not _MOVES.fullmatch(text):
            start = "\r" if text.startswith("\r") else ""
            shown = start + plain(text[len(start) :])
            self._stream.write(shown)
        else:
            self._stream.write(text)
        return len(text)

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
