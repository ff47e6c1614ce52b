"""Writes a `.beton` file, front to back, from one process: FFCV's own writer waits for ever when an image, a worker or the disk fails.

The file is the same to the byte for the same images and settings, whatever the number of workers.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

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
    """Bytes of a page that holds an image of `largest` bytes: a power of two.

    >>> page_size(2352), page_size(3_000_000)
    (2097152, 4194304)
    """
    return max(PAGE, 1 << (largest - 1).bit_length())


class BetonFile:
    """`add` images in order, then `finish`. Without `finish` the file has no header, and `check_beton` refuses it."""

    def __init__(self, path: Path, capacity: int, page: int):
        self.page = page
        self.rows: list[tuple[tuple[int, int, int, int], int]] = []
        self.table: list[tuple[int, int, int]] = []
        self.at = -(-(ROWS_AT + capacity * ROW.itemsize) // page) * page  # the first page
        self.file: IO[bytes] = open(path, "wb")  # noqa: SIM115 (closed by __exit__)
        self.file.seek(self.at)

    def __enter__(self) -> BetonFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()

    def add(self, data: bytes, mode: int, width: int, height: int, label: int) -> None:
        """One encoded image. OSError when the disk is full."""
        if len(data) > self.page:
            raise ValueError(f"an image of {len(data)} bytes does not fit a page of {self.page}")
        if self.at // self.page != (self.at + len(data) - 1) // self.page:
            rest = -self.at % self.page
            self.file.write(bytes(rest))
            self.at += rest
        self.file.write(data)
        self.table.append((len(self.rows), self.at, len(data)))
        self.rows.append(((mode, width, height, self.at), label))
        self.at += len(data)

    def finish(self) -> None:
        """Table, metadata, and last the header; on the disk when this returns."""
        rest = -self.at % self.page
        self.file.write(bytes(rest))  # FFCV's page reader reads whole pages
        self.at += rest
        self.file.write(np.array(self.table, dtype=TABLE).tobytes())
        header = np.zeros(1, dtype=HEADER)
        header[0] = (FFCV_VERSION, len(FIELDS), self.page, len(self.rows), self.at)
        self.file.seek(HEADER.itemsize)
        self.file.write(field_descriptors().tobytes() + np.array(self.rows, dtype=ROW).tobytes())
        self.file.flush()
        self.file.seek(0)
        self.file.write(header.tobytes())
        self.file.flush()
        os.fsync(self.file.fileno())
