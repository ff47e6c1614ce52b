"""Worker processes that end with their parent, and one line for a limit on open files."""

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
    """In a worker: end this process within a second of the process `parent`.

    A parent killed by SIGKILL cannot end it, and the worker would wait on its queue forever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def be_silent() -> None:
    """In a worker: discard stderr.

    Errors reach the parent with the results. If the parent ends first, Python would print a
    useless traceback.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def check_open_files(workers: int) -> None:
    """Raise the soft limit on open files as far as these workers need.

    InputError if the hard limit is too low: torch's workers would hang.
    """
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
    """Whether an error or its cause is that too many files are open."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        if "Too many open files" in str(error) or "ancdata" in str(error):  # messages of torch
            return True
        error = error.__cause__ or error.__context__
    return False
