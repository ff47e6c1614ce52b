"""Writes a `.beton` file front to back from one process.

FFCV's own writer hangs when an image, a worker or the disk fails. The same images and settings
give the same bytes for any number of workers.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from fastscale.common import whole_file
from fastscale.data.beton import (
    FFCV_VERSION,
    FIELDS,
    HEADER,
    ROW,
    ROWS_AT,
    TABLE,
    field_descriptors,
)

PAGE = 1 << 21  # FFCV's smallest; an image never crosses the border of a page
MAX_SIDE = 65535  # the format's 16 bits


def page_size(largest: int) -> int:
    """Bytes of a page with room for an image of `largest` bytes: a power of two.

    >>> page_size(2352), page_size(3_000_000)
    (2097152, 4194304)
    """
    return max(PAGE, 1 << (largest - 1).bit_length())


class BetonFile:
    """A context manager: `add` images in order, then `finish`.

    The file gets its name at the end of the block. Without `finish`, or after an error, nothing is
    left behind. `rows`, `content` (a sha256 of the image data) and `modified_ns` describe the
    finished file.
    """

    def __init__(self, path: Path, capacity: int, page: int):
        self.page = page
        self.rows, self.table = np.zeros(capacity, dtype=ROW), np.zeros(capacity, dtype=TABLE)
        self.count = 0
        self.at = -(-(ROWS_AT + capacity * ROW.itemsize) // page) * page  # the first page
        self.content = hashlib.sha256()
        self.index_sha256, self.size, self.modified_ns = "", 0, 0
        self._whole = whole_file(path)
        self.file: IO[bytes]

    def __enter__(self) -> BetonFile:
        self.file = self._whole.__enter__()
        self.file.seek(self.at)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self.index_sha256:
            error = _Unfinished()
            with suppress(_Unfinished):
                self._whole.__exit__(_Unfinished, error, None)
            return
        self._whole.__exit__(kind, error, trace)

    def _write(self, data: bytes) -> None:
        self.file.write(data)
        self.content.update(data)
        self.at += len(data)

    def add(self, data: bytes, mode: int, width: int, height: int, label: int) -> None:
        """Append one encoded image. OSError when the disk is full."""
        if len(data) > self.page:
            raise ValueError(f"an image of {len(data)} bytes does not fit a page of {self.page}")
        if self.at // self.page != (self.at + len(data) - 1) // self.page:
            self._write(bytes(-self.at % self.page))
        self.table[self.count] = (self.count, self.at, len(data))
        self.rows[self.count] = ((mode, width, height, self.at), label)
        self.count += 1
        self._write(data)

    def finish(self) -> None:
        """Write the table, then the header and metadata."""
        self._write(bytes(-self.at % self.page))  # FFCV's page reader reads whole pages
        rows, table = self.rows[: self.count], self.table[: self.count]
        header = np.zeros(1, dtype=HEADER)
        header[0] = (FFCV_VERSION, len(FIELDS), self.page, self.count, self.at)
        parts = [header.tobytes(), field_descriptors().tobytes(), rows.tobytes(), table.tobytes()]
        self.file.write(parts[3])
        self.size = self.file.tell()
        self.file.seek(0)
        self.file.write(b"".join(parts[:3]))
        self.file.flush()
        self.modified_ns = os.fstat(self.file.fileno()).st_mtime_ns
        self.index_sha256 = hashlib.sha256(b"".join(parts)).hexdigest()


class _Unfinished(Exception):
    """Makes `whole_file` remove an unfinished file."""
