"""The loader process: decodes epochs into the ring, batch by batch, until its parent is gone.

    python -m fastscale.data.own.child SOCKET MEMORY PARENT     (descriptors; started by loader.py)

It receives pickled messages, from the parent alone: first the arguments of the loader; then
("epoch", number, framing, first batch, free slots), ("free", slot) and ("stop",).
It sends ("ready",), ("batch", slot, images, side), ("end",) and ("error", type, text).
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from fastscale.common import leave_signals_to_parent
from fastscale.data.own import without_torch
from fastscale.data.own.ring import Ring
from fastscale.data.workers import end_with_parent
from fastscale.errors import InputError, RunError


class _Stopped(Exception):
    """The parent does not need the rest of the epoch."""


class Child:
    """Decodes in the main thread while another thread listens to the parent."""

    def __init__(self, socket: Connection, descriptor: int):
        self.socket = socket
        self.epochs: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.free: queue.SimpleQueue[int | None]  # the slots of this epoch; None: stop
        self.taken: dict[int, int] = {}  # slots by the address of their memory
        wanted = socket.recv()
        slots, images, side = wanted.pop("ring")
        self.ring = Ring(slots, images, side, descriptor)
        self.loader = _make(**wanted, check=False, memory=self.take)

    def listen(self) -> None:
        """Receive messages; ends the process when the parent closes its end of the socket."""
        free: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        try:
            while True:
                word, *rest = self.socket.recv()
                if word == "free":
                    free.put(rest[0])
                elif word == "stop":
                    free.put(None)
                else:  # an epoch: the messages that follow belong to it, whenever it starts
                    free = queue.SimpleQueue()
                    for slot in rest.pop():
                        free.put(slot)
                    self.epochs.put((*rest, free))
        except (EOFError, OSError):
            os._exit(0)

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """Memory for a batch: waits for the next free slot."""
        slot = self.free.get()
        if slot is None:
            raise _Stopped
        pixels = self.ring.pixels(slot, shape[0], shape[1])
        self.taken[pixels.ctypes.data] = slot
        return pixels

    def run(self) -> None:
        """Decode epoch after epoch."""
        self.socket.send(("ready",))
        threading.Thread(target=self.listen, daemon=True).start()
        while True:
            number, framing, first, self.free = self.epochs.get()
            self.loader.framing = framing
            self.loader.next_epoch, self.loader.first_batch = number, first
            try:
                for images, labels in self.loader:
                    slot = self.taken.pop(images.ctypes.data)
                    self.ring.labels(slot, len(labels))[:] = labels
                    self.socket.send(("batch", slot, len(labels), images.shape[1]))
            except RunError as error:
                if not isinstance(error.__cause__, _Stopped):
                    raise
            self.taken.clear()
            self.socket.send(("end",))


def _make(**wanted: Any) -> Any:
    """The GuardedLoader, without torch if possible."""
    without_torch.stand_in()
    try:
        from fastscale.data.ffcv_loader import GuardedLoader

        return GuardedLoader(**wanted)
    except Exception:
        without_torch.take_away()
        from fastscale.data.ffcv_loader import GuardedLoader

        return GuardedLoader(**wanted)


def main() -> None:
    """Run the child; any error that ends it is sent to the parent as text."""
    leave_signals_to_parent()
    socket, descriptor, parent = (int(text) for text in sys.argv[1:])
    end_with_parent(parent)  # a fork of the parent may keep its end of the socket open
    connection = Connection(socket)
    try:
        Child(connection, descriptor).run()
    except BaseException as error:
        kind = "InputError" if isinstance(error, InputError) else "RunError"
        text = str(error) if isinstance(error, InputError | RunError) else repr(error)
        with suppress(OSError):
            connection.send(("error", kind, text))
    os._exit(1)


if __name__ == "__main__":
    main()
