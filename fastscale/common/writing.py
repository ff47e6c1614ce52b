"""Writes files whole or not at all, and removes what killed processes left."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fastscale.errors import InputError

_PART = re.compile(r"\.(?P<host>[0-9a-f]{4})-(?P<pid>\d+)\.part\Z")


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new binary file that is renamed to `path` if the block ends without an error.

    It is written beside `path` and flushed to disk first. If the block or the disk fails, nothing
    is left behind and `path` is unchanged. Parts left by killed processes are removed. A link to a
    file is replaced, never followed. Raises OSError; InputError if `path` is a folder, pipe or
    device, or a link to one: root could replace /dev/null.
    """
    path = Path(path)
    _check_replaceable(path)
    part = path.with_name(f"{path.name}.{_host()}-{os.getpid()}.part")
    remove_stale(path.parent, path.name)
    with suppress(FileNotFoundError):
        os.unlink(part)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(part, flags, 0o666)
    except OSError as error:
        error.filename = str(path)  # the user knows no other
        raise
    with os.fdopen(descriptor, "w+b") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise


def _check_replaceable(path: Path) -> None:
    for look in (os.lstat, os.stat):  # the link, then what it leads to
        with suppress(OSError):
            mode = look(path).st_mode
            if stat.S_ISDIR(mode):
                raise InputError(f"{path}: a folder; give the name of a file")
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise InputError(f"{path}: not a plain file, so it is not replaced")


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Writes `content` (text as UTF-8, newlines unchanged) by `whole_file`. Raises OSError."""
    with whole_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)


def open_to_append(path: str | os.PathLike[str]) -> int:
    """A descriptor that appends to the plain file `path`, created if missing; the caller closes it.

    InputError if `path` is a link, folder, pipe or device: its target may not be ours.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise InputError(f"{path}: not a plain file, so it is not written to") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: not a plain file, so it is not written to")
    return descriptor


def _host() -> str:
    import hashlib  # importing these two takes as long as the rest of the module
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def remove_stale(folder: Path, name: str = "") -> None:
    """Removes the parts of files in `folder` that killed processes of this machine left; with
    `name`, only those of that file."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            found = entry.name.startswith(name) and _PART.search(entry.name)
            if not found or (name and found.start() != len(name)):
                continue
            if found["host"] == _host() and not _alive(int(found["pid"])):
                os.unlink(entry.path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
