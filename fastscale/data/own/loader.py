"""The training process's side of the loader process."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fastscale.data.beton import check_beton, read_index
from fastscale.data.epochs import Epochs, Share
from fastscale.data.framing import Framing
from fastscale.data.own.ring import Ring, slot_layout
from fastscale.errors import InputError, RunError
from fastscale.home import PACKAGE

if TYPE_CHECKING:
    from typing_extensions import Unpack

SLOTS = 6
KEPT = 3  # slots that the child always has: two batches in progress, one that is ready
ENDED = "the process that loads images has ended (killed? out of memory?): the run can be resumed"


class OwnLoader(Epochs):
    """The batches of a GuardedLoader with the same arguments, bit for bit, from another process.

    A sized iterable of (images (N, 3, R, R) uint8 channels_last, labels (N,) int64); one loop at a
    time. On a GPU machine both are in pinned memory. The images stay unchanged while they are held;
    the labels are a copy. When the images are dropped, their memory is reused only after the copies
    started on the current stream are done. Copies on another stream must be reported to `copied`.

    InputError for an incomplete file; the loop raises RunError for a damaged image and for a killed
    process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        framing: Framing,
        batch_size: int,
        *,
        workers: int = 1,
        **share: Unpack[Share],
    ):
        self.path, self.workers = os.fspath(path), workers
        check_beton(self.path)
        super().__init__(framing, batch_size, len(read_index(self.path).rows), **share)
        self.running: _Process | None = None
        self._process()  # starts while the network is built

    @property
    def ring_bytes(self) -> int:
        """Bytes of shared memory."""
        return SLOTS * slot_layout(min(self.batch_size, self.count), self.side)[1]

    @property
    def side(self) -> int:
        return self.framing.resolution

    def _process(self) -> _Process:
        """The running process, restarted if its slots are too small."""
        if self.running is not None and (self.running.closed or self.running.side < self.side):
            self.close()
        if self.running is None:
            loader = {
                "path": self.path,
                "framing": self.framing,
                "batch_size": self.batch_size,
                "workers": self.workers,
                "indices": self.indices,
                "rank": self.rank,
                "world": self.world,
            }
            self.running = _Process(loader, min(self.batch_size, self.count), self.side)
        return self.running

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        process, epoch, first = self._process(), self.next_epoch, self.first_batch
        self.next_epoch, self.first_batch = epoch + 1, 0
        turn = process.begin(epoch, self.framing, first)
        try:
            yield from iter(partial(process.next, turn), None)  # holds no batch while waiting
        finally:
            process.end(turn)

    def copied(self, images: torch.Tensor, event: torch.cuda.Event) -> None:
        """Keep the images of a batch until `event` is done, which was recorded after their copy."""
        if self.running is not None:
            self.running.copied(images.data_ptr(), event)

    def close(self) -> None:
        """End the process."""
        if self.running is not None:
            self.running.close()
            self.running = None


class _Process:
    """A started child and its ring."""

    def __init__(self, loader: dict[str, Any], images: int, side: int):
        self.side, self.path = side, loader["path"]
        try:
            self.ring = Ring(SLOTS, images, side)
            ours, theirs = socket.socketpair()
            with theirs:
                self.child = _start(theirs, self.ring)
        except OSError as error:
            size = SLOTS * slot_layout(images, side)[1] >> 20
            raise RunError(
                f"the loader process ({size} MiB shared) could not be started "
                f"({error.strerror or error}): choose --data.process here"
            ) from error
        self.ring.close()
        self.socket = Connection(ours.detach())
        self.cuda, self.ready, self.turn = torch.cuda.is_available(), False, 0  # turn: loop number
        self.open = False  # whether the child is in an epoch
        self.held: set[int] = set()  # slots that the child must not fill
        self.dropped: deque[int] = deque()  # held slots whose images nobody holds any more
        self.events: dict[int, Any] = {}  # recorded after the copies of a slot
        unpin = _pin(self.ring.memory) if self.cuda else None
        self._end = weakref.finalize(self, _end, os.getpid(), self.child, self.socket, unpin)
        self._send({**loader, "ring": (SLOTS, images, side)})

    @property
    def closed(self) -> bool:
        return not self._end.alive

    def close(self) -> None:
        """End the child; held batches stay valid."""
        self._end()

    def begin(self, epoch: int, framing: Framing, first: int) -> int:
        """Start a loop over an epoch and end the previous one. Returns the number of the loop."""
        if not self.ready:
            self.ready = bool(self._receive())
        self.end(self.turn)
        self.turn += 1
        self._take_back()
        free = [slot for slot in range(SLOTS) if slot not in self.held]
        self._send(("epoch", epoch, framing, first, free))
        self.open = True
        return self.turn

    def end(self, turn: int) -> None:
        """Stop the child if it is in the epoch of this loop."""
        if turn != self.turn or not self.open or self.closed:
            return
        with suppress(RunError, InputError):  # nobody needs this epoch any more
            self._send(("stop",))
            while self._receive()[0] != "end":
                pass
        self.open = False

    def next(self, turn: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The next batch; None after the last."""
        if turn != self.turn:
            raise RunError(f"{self.path}: another loop over this loader has begun")
        self._take_back()
        word, *rest = self._receive()
        if word == "end":
            self.open = False
            return None
        slot, count, side = rest
        pixels, labels = self.ring.pixels(slot, count, side), self.ring.labels(slot, count)
        self.held.add(slot)
        weakref.finalize(pixels, self.dropped.append, slot).atexit = False
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        answers = torch.from_numpy(labels.copy())
        del pixels
        if self.cuda:
            answers = answers.pin_memory()
        self._take_back()
        if len(self.held) > SLOTS - KEPT:  # batches are held for long: copy this one
            images = _copy(images)
            self._take_back()
        return images, answers

    def copied(self, address: int, event: Any) -> None:
        """See OwnLoader.copied."""
        slot = (address - self.ring.memory.ctypes.data) // self.ring.slot_bytes
        if 0 <= slot < SLOTS:
            self.events[slot] = event

    def _take_back(self) -> None:
        """Return the slots that nobody needs any more to the child."""
        for _ in range(len(self.dropped)):
            slot = self.dropped.popleft()
            event = self.events.get(slot)
            if event is None and self.cuda:
                self.events[slot] = event = torch.cuda.Event()
                event.record()
            if event is not None and not event.query():
                if len(self.held) <= SLOTS - KEPT:
                    self.dropped.append(slot)
                    continue
                event.synchronize()
            self.events.pop(slot, None)
            self.held.discard(slot)
            if self.open:
                self._send(("free", slot))

    def _send(self, message: Any) -> None:
        try:
            self.socket.send_bytes(pickle.dumps(message))
        except OSError:
            while True:  # raises the child's last error, if it sent one
                self._receive()
        except BaseException:  # the message may be half sent
            self.close()
            raise

    def _receive(self) -> Any:
        try:
            message = self.socket.recv()
        except BaseException as error:
            self.close()
            if isinstance(error, EOFError | OSError):
                raise RunError(ENDED) from None
            raise
        if message[0] == "error":
            self.close()
            raise (InputError if message[1] == "InputError" else RunError)(message[2])
        return message


def _start(theirs: socket.socket, ring: Ring) -> subprocess.Popen[bytes]:
    """Start the child in a new session, so that Ctrl-C in the terminal does not reach it."""
    paths = [str(PACKAGE.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    hidden = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"), "")
    descriptors = theirs.fileno(), ring.descriptor
    return subprocess.Popen(
        [sys.executable, "-m", "fastscale.data.own.child", *map(str, (*descriptors, os.getpid()))],
        env={
            **os.environ,
            **hidden,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONSAFEPATH": "1",  # it must not import files of the current folder
        },
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(owner: int, child: subprocess.Popen[bytes], connection: Connection, unpin: Any) -> None:
    """End the child and unpin its memory. Forks of the owner leave both alone."""
    if os.getpid() != owner:
        return
    connection.close()
    child.kill()  # it has nothing to clean up
    child.wait()
    if unpin is not None:
        unpin()


def _pin(memory: np.ndarray) -> Any:
    """Pin memory. Returns a function that unpins it, to call before the memory is freed."""
    cuda: Any = torch.cuda.cudart()
    address = memory.ctypes.data
    if int(cuda.cudaHostRegister(address, memory.nbytes, 0)):
        return None  # copies are slower, batches the same

    def unpin() -> None:
        with suppress(Exception):
            torch.cuda.synchronize()
            cuda.cudaHostUnregister(address)

    return unpin


def _copy(images: torch.Tensor) -> torch.Tensor:
    """A copy in new memory, pinned on a GPU machine."""
    out = torch.empty_like(images, pin_memory=torch.cuda.is_available())
    return out.copy_(images)
