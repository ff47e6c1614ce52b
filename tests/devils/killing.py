"""Kills this process and its children before its n-th write in a folder, like a power cut.

Every Python call that changes the folder's files counts: opening for writing, writing to a
descriptor, flushing to disk, truncating, renaming, removing, making a folder or link. Locks do not
count, nor do TensorBoard's event files, because its thread writes at any time.
"""

import builtins
import io
import mmap
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEFT_OUT = ("events.out.tfevents", ".lock", ".log")
BY_PATH = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "link", "symlink", "truncate")
BY_DESCRIPTOR = ("write", "fsync", "fdatasync", "ftruncate", "pwrite")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killer:
    """`at`: the write before which everything is killed; 0: never. `log` lists the writes."""

    def __init__(self, folder: Path, at: int, log: Path):
        self.folder, self.at = os.path.realpath(folder), at
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.count = mmap.mmap(-1, 8)  # shared with forked workers
        self.write = os.write

    def inside(self, path: Any) -> bool:
        """Whether a path is in the folder and counts."""
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return False
        text = os.path.abspath(os.fsdecode(path))
        counted = not any(word in os.path.basename(text) for word in LEFT_OUT)
        return counted and (text == self.folder or text.startswith(self.folder + os.sep))

    def step(self, name: str, path: Any) -> None:
        """Called before each call that writes."""
        if not self.inside(path):
            return
        number = int.from_bytes(self.count[:], "little") + 1
        self.count[:] = number.to_bytes(8, "little")
        shown = path if not isinstance(path, int) else os.readlink(f"/proc/self/fd/{path}")
        self.write(self.log, f"{number} {name} {os.fsdecode(shown)}\n".encode())
        if number == self.at:
            os.killpg(os.getpgid(0), signal.SIGKILL)

    def watch(self) -> None:
        """Wrap the calls."""
        for name in (*BY_PATH, *BY_DESCRIPTOR):
            setattr(os, name, self.before(name, getattr(os, name)))
        os.open = self.opening(os.open)  # type: ignore[assignment]
        builtins.open = io.open = self.opening_files(io.open)  # type: ignore[assignment]

    def before(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if args:
                self.step(name, args[0])
            return real(*args, **more)

        return call

    def opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **more: Any) -> int:
            if flags & WRITING:
                self.step("open", path)
            return real(path, flags, *args, **more)

        return call

    def opening_files(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
            if not isinstance(path, int) and set(mode) & set("wax+"):
                self.step("open", path)
            return real(path, mode, *args, **more)

        return call
