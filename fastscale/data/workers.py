"""Worker processes: they end with their parent, and a limit on open files is said in a line."""

from __future__ import annotations

import errno
import os
import resource
import threading
import time
from contextlib import suppress

from fastscale.errors import InputError

OPEN_FILES = (
    "too many open files for this many worker processes: use fewer workers, "
    "or allow more open files (ulimit -n 4096)"
)


def end_with_parent(parent: int) -> None:
    """In a worker: ends this process within a second of `parent` (its process number).

    A parent killed by -9 can't end it, and a queue would keep it waiting for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def be_silent() -> None:
    """In a worker: what it has to say reaches the parent with its results. What Python prints on
    stderr when the parent goes away first is a traceback that nobody asked for."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def check_open_files(workers: int) -> None:
    """InputError where the limit on open files is too low for so many workers: torch's would wait
    for ever. Raises the soft limit as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = soft
    with suppress(OSError):
        used = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))
    needed = used + 8 * (workers + 1)
    if workers <= 0 or soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InputError(OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def too_many_files(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that no more files can be opened."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        if "Too many open files" in str(error) or "ancdata" in str(error):  # torch's, in words
            return True
        error = error.__cause__ or error.__context__
    return False
