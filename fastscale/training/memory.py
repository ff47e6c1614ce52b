"""Memory that a step on a CPU has freed stays with the process, and is used again by the next step.

glibc gives large blocks back to the system when they are freed. Each step then gets all its
activations as new pages, which the kernel clears first: a fourteenth of the processor time of a
tiny network's step.
"""

import ctypes
import os
from contextlib import suppress

TRIM, MAPPED = -1, -3  # glibc's M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
MOST = (1 << 31) - 1


def keep_freed_memory() -> None:
    """From here on this process does. It never holds more than it once needed at a time. Nothing
    happens where the C library has no such setting, or the user has made one."""
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MAPPED, MOST)
        mallopt(TRIM, MOST)
