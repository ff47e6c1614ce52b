"""The append-only store: one record per line, safe against two writers, a full disk and kill -9.

A line is written in one call to a file opened for appending, under a lock, and flushed to disk
before `append` returns. A killed writer may leave half a line: readers skip it with a warning, and
the next writer removes it. Any other invalid line is an InputError naming the file and the line;
a store is never read in part.
"""

import fcntl
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from fastscale.common import open_to_append, write_whole
from fastscale.errors import InputError
from fastscale.records.record import Record, key

MOST = 1 << 30  # bytes of a store: a million records
FIRST = b'{"acts":'  # the first bytes of every record: keys are sorted


class RecordStore:
    """The records in one `.jsonl` file, which need not exist yet. Records are only ever added."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def append(self, record: Record) -> Record:
        """Adds a record, unless the store has it already, and returns it.

        OSError if the line could not be written whole; the file is then left unchanged. InputError
        if the path holds other text or is not a plain file.
        """
        line = (record.to_json() + "\n").encode("ascii")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as (descriptor, content, end):
            if b"\n" + line in b"\n" + content + b"\n":
                return record
            written = -1
            try:
                written = os.write(descriptor, line)
            except OSError as error:  # raised for a descriptor, so it lacks the file's name
                raise OSError(error.errno, error.strerror, str(self.path)) from None
            finally:
                if written != len(line):
                    os.ftruncate(descriptor, end)
            if written != len(line):
                raise OSError(f"{self.path}: only {written} of {len(line)} bytes could be written")
            os.fsync(descriptor)
        return record

    def check(self) -> None:
        """Raises the errors of `append` that can be foreseen; call it before long work.

        Creates the folder but not the file.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(self.path):
            with self._opened():
                return
        if not os.access(self.path.parent, os.W_OK):
            raise PermissionError(f"{self.path.parent}: no permission to write there")

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, bytes, int]]:
        """The file locked for appending: (descriptor, content, end of the last whole line)."""
        descriptor = open_to_append(self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            yield descriptor, content, self._mend(descriptor, content)
        finally:
            os.close(descriptor)

    def read(self) -> list[Record]:
        """Every record in the order written; a missing file has none.

        InputError naming the file and line of anything that is not a record.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{self.path}: not a plain file")
            fcntl.flock(file, fcntl.LOCK_SH)
            content = file.read(MOST + 1)
        if len(content) > MOST:
            raise InputError(f"{self.path}: larger than {MOST:,} bytes, the most a store may have")
        return _parse(content, self.path)

    def _mend(self, descriptor: int, content: bytes) -> int:
        """Removes half a line from the end, or adds the newline that a whole record lacks.

        Returns the new length of the file. InputError if the last line is not part of a record.
        """
        end = len(content)
        start = content.rfind(b"\n") + 1
        if start == end:
            return end
        half = content[start:]
        if _record_or_none(half) is not None:
            return end + os.write(descriptor, b"\n")
        if half[: len(FIRST)] != FIRST[: len(half)]:
            raise InputError(
                f"{self.path}: its last line is not a record, so nothing was added; "
                "remove that line or the file"
            )
        warnings.warn(
            f"{self.path}: removed half a line of {end - start} bytes that an interrupted writer "
            "left",
            stacklevel=5,
        )
        os.ftruncate(descriptor, start)
        return start


def read_records(path: str | os.PathLike) -> list[Record]:
    """The records of a file that must exist. InputError if it does not, or for a bad line."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of records; `fastscale time` writes one")
    return RecordStore(path).read()


def latest(records: Iterable[Record]) -> list[Record]:
    """The last record of each fact (see `key`), in the order in which the facts first appear."""
    found: dict[tuple, Record] = {}
    for record in records:
        found[key(record)] = record
    return list(found.values())


def write_snapshot(path: str | os.PathLike, records: Iterable[Record]) -> Path:
    """Replaces the file by these records, sorted and each once, in one step.

    The same records give the same bytes.
    """
    path = Path(path)
    unique = {record.id: record for record in records}
    ordered = sorted(unique.values(), key=_order)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, "".join(record.to_json() + "\n" for record in ordered))


def _order(record: Record) -> tuple:
    seed = -1 if record.seed is None else record.seed
    return record.kind, record.base, record.factor, record.run, seed, record.env["date"], record.id


def _parse(content: bytes, path: Path) -> list[Record]:
    end = content.rfind(b"\n") + 1
    records, last = list(_whole_lines(content[:end], path)), content[end:]
    if last:
        whole = _record_or_none(last)
        if whole is None:
            warnings.warn(
                f"{path}: skipped half a line of {len(last)} bytes that an interrupted writer left",
                stacklevel=3,
            )
        else:
            records.append(whole)
    return records


@lru_cache(maxsize=32)
def _whole_lines(content: bytes, path: Path) -> tuple[Record, ...]:
    """The records of whole lines. Cached: a plan reads the same few files for each run."""
    records = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            records.append(Record.from_json(line.decode("utf-8")))
        except (InputError, UnicodeDecodeError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return tuple(records)


def _record_or_none(line: bytes) -> Record | None:
    try:
        return Record.from_json(line.decode("utf-8"))
    except (InputError, UnicodeDecodeError):
        return None
