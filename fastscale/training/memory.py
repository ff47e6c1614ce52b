"""Keeps freed memory in the process, so that the next training step on a CPU reuses it.

glibc returns large blocks to the system when they are freed. Each step then gets its activations
as new pages, which the kernel clears first: a fourteenth of the CPU time of a tiny network's step.
"""

import ctypes
import os
from contextlib import suppress

TRIM, MAPPED = -1, -3  # glibc's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
MOST = (1 << 31) - 1


def keep_freed_memory() -> None:
    """Makes this process keep freed memory; it never holds more than it once needed at a time.

    Does nothing if the C library has no such setting, or the user has set one.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MAPPED, MOST)
        mallopt(TRIM, MOST)
