"""FFCV's loader, made safe.

FFCV's file format, reader, batch thread and JPEG decoder are used unchanged. What is replaced:

- An error in FFCV's thread hangs the loop. Here the loop raises it, and every thread ends with the
  loop, also on `break`.
- FFCV ignores the JPEG decoder's error code, and a damaged image shows the one before it. Here that
  is an error.
- FFCV draws crops from the random state of numba's threads. Here they are a function of seed, epoch
  and image, as in the plain loader.
- FFCV compiles every loader again, which takes seconds in each process, and compiles on import.
  Here a batch is one call to a library compiled once per machine (decoding.py).
- FFCV returns views of five buffers that it overwrites. Here a batch keeps its memory as long as it
  is held (pinned on a GPU machine).
- FFCV changes torch's thread count. Here it is restored.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fastscale.data.beton import check_beton
from fastscale.data.decoding import Wanted, threads
from fastscale.data.epochs import Epochs, Share
from fastscale.data.ffcv_decoder import import_ffcv
from fastscale.data.framing import Framing
from fastscale.data.recycled import Recycled
from fastscale.errors import RunError

if TYPE_CHECKING:
    from typing_extensions import Unpack

import_ffcv()

from ffcv.fields.basics import IntDecoder  # noqa: E402
from ffcv.fields.rgb_image import SimpleRGBImageDecoder  # noqa: E402
from ffcv.loader import Loader, OrderOption  # noqa: E402
from ffcv.loader.epoch_iterator import EpochIterator  # noqa: E402
from ffcv.memory_managers.os_cache import OSCacheContext, OSCacheManager  # noqa: E402
from ffcv.pipeline.compiler import Compiler  # noqa: E402

_construction = threading.Lock()


class Storage(OSCacheManager):
    """The file, memory-mapped.

    FFCV's version also builds sets of pages for its other caches: 3 s and 700 MB for ImageNet.
    """

    def __init__(self, reader: Any):
        self.reader, self.context = reader, OSCacheContext(self)
        order = np.argsort(reader.alloc_table["ptr"])
        self.ptrs, self.sizes = reader.alloc_table["ptr"][order], reader.alloc_table["size"][order]


@contextmanager
def _only_what_is_needed() -> Iterator[None]:
    """FFCV builds a loader without its compiler, with our Storage, and leaves all threads alone."""
    module = sys.modules["ffcv.loader.loader"]
    with _construction:
        kept = Compiler.is_enabled, Compiler.set_num_threads
        Compiler.is_enabled, Compiler.set_num_threads = False, lambda n: None
        module.OSCacheManager = Storage  # type: ignore[attr-defined]
        try:
            yield
        finally:
            Compiler.is_enabled, Compiler.set_num_threads = kept
            module.OSCacheManager = OSCacheManager  # type: ignore[attr-defined]


Memory = Callable[[tuple[int, ...]], np.ndarray]
SMALL = 64 * 64 * 3  # bytes; such images are too quick to decode for a second thread to help


class Decode(SimpleRGBImageDecoder):
    """Stored images to an (N, 3, R, R) uint8 tensor, channels_last.

    It starts a batch; GuardedIterator waits for it. With `memory`, which makes the array of a
    batch, the result is that array, (N, R, R, 3). `framing` may be replaced between epochs.
    """

    def __init__(self, framing: Framing, memory: Memory | None = None):
        super().__init__()
        self.framing = framing
        # .epoch, .threads, .ticket, set by the thread of each iterator
        self.local = threading.local()
        self.memory = memory
        self.recycled = Recycled()

    def declare_state_and_memory(self, previous_state: Any) -> tuple[Any, None]:
        side = self.framing.resolution
        return replace(
            previous_state, jit_mode=True, shape=(side, side, 3), dtype=np.dtype("u1")
        ), None

    def generate_code(self) -> Any:
        def decode(
            indices: np.ndarray,
            _: None,
            metadata: np.ndarray,
            storage: tuple[np.ndarray, np.ndarray, np.ndarray],
        ) -> Any:
            file, pointers, sizes = storage
            rows, local, side = metadata[indices], self.local, self.framing.resolution
            size = sizes[np.searchsorted(pointers, rows["data_ptr"])]
            epoch, file = local.epoch, file.view(np.ndarray)
            shape = (len(indices), side, side, 3)
            batch: Any = self.memory(shape) if self.memory else self._tensor(shape)
            wanted = Wanted(self.framing, epoch, indices, rows, size, file)
            local.ticket = local.threads.start(wanted, np.asarray(batch))
            return batch if self.memory else batch.permute(0, 3, 1, 2)

        return decode

    def _tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        if torch.cuda.is_available():
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        return torch.from_numpy(self.recycled.take(shape))


class Label(IntDecoder):
    """(N,) int64 labels as a new tensor or array."""

    def __init__(self, tensor: bool = True):
        super().__init__()
        self.tensor = tensor

    def generate_code(self) -> Any:
        def decode(indices: np.ndarray, _: None, metadata: np.ndarray, storage: Any) -> Any:
            labels = metadata[indices].astype(np.int64)
            return torch.from_numpy(labels) if self.tensor else labels

        return decode

    def declare_state_and_memory(self, previous_state: Any) -> tuple[Any, None]:
        return replace(previous_state, jit_mode=True, shape=(1,), dtype=self.dtype), None


class GuardedIterator(EpochIterator):
    """One pass over the batches. Raises the errors of its thread; `close` leaves no thread."""

    def __init__(self, loader: GuardedLoader, order: np.ndarray, epoch: int):
        self.epoch = epoch
        self.threads: list[int] = []  # native ids of our threads
        self.error: BaseException | None = None
        self.device = torch.cuda.current_device() if torch.cuda.is_available() else None
        super().__init__(loader, order)

    def run(self) -> None:
        local, behind = self.loader.decode.local, None
        self.threads.append(threading.get_native_id())
        try:
            if self.device is not None:
                # a new thread starts on the first GPU, which another process may use
                torch.cuda.set_device(self.device)
            local.epoch, local.threads = self.epoch, threads(self.loader.workers)
            try:
                slots = self.loader.batches_ahead + 2
                for number, indices in enumerate(self.iter_ixes):
                    slot = number % slots
                    result = self.run_pipeline(number, indices, slot, None)
                    started = local.ticket, (slot, result)
                    if behind is not None and not self._hand_over(*behind):
                        return
                    behind = started  # the next batch is started before this one is waited for
                if behind is not None:
                    self._hand_over(*behind)
            finally:
                local.threads.close()
                self.threads += local.threads.ids
        except BaseException as e:
            self.error = e
        finally:
            self._put(None)

    def _hand_over(self, ticket: Any, item: Any) -> bool:
        self.loader.decode.local.threads.finish(ticket)
        return self._put(item)

    def _put(self, item: Any) -> bool:
        while not self.terminate_event.is_set():
            try:
                self.output_queue.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StopIteration:
            if self.error is not None:
                raise RunError(f"{self.loader.fname}: {self.error}") from self.error
            raise

    def close(self) -> None:
        self.terminate_event.set()
        if threading.current_thread() is not self and self.ident is not None:
            self.join()
            _wait_until_gone(self.threads)
        super().close()
        self.closed = True


def _wait_until_gone(threads: list[int]) -> None:
    """Wait until the system has ended these threads.

    A joined thread still frees OpenCV's memory under a lock of OpenCV. A process forked at that
    moment, such as a DataLoader worker, would hang at its first use of OpenCV. This takes about a
    millisecond; seen on Linux.
    """
    deadline = time.monotonic() + 1
    while (
        any(os.path.exists(f"/proc/self/task/{t}") for t in threads) and time.monotonic() < deadline
    ):
        time.sleep(0.0002)


class GuardedLoader(Epochs, Loader):
    """Batches (images (N, 3, R, R) uint8, labels (N,) int64) of a `.beton`.

    `memory`: makes the array for the images of a batch, from its shape. Batches are then such
    arrays, (N, R, R, 3), and arrays of labels. InputError for an incomplete file; the loop raises
    RunError for a damaged image.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        framing: Framing,
        batch_size: int,
        *,
        workers: int = 1,
        check: bool = True,
        memory: Memory | None = None,
        **share: Unpack[Share],
    ):
        if check:
            check_beton(os.fspath(path))
        self.decode = Decode(framing, memory)
        with _only_what_is_needed():
            Loader.__init__(
                self,
                os.fspath(path),
                batch_size,
                os_cache=True,
                num_workers=1,  # numba's threads, which are not used here
                order=OrderOption.SEQUENTIAL,
                seed=0,
                drop_last=framing.train,
                pipelines={"image": [self.decode], "label": [Label(memory is None)]},
            )
        Epochs.__init__(self, framing, batch_size, int(self.reader.num_samples), **share)
        rows = self.reader.metadata["f0"]
        small = 3 * int(rows["width"].max()) * int(rows["height"].max()) <= SMALL
        self.workers = 1 if small else max(1, workers)

    @property  # type: ignore[override]
    def framing(self) -> Framing:
        return self.decode.framing

    @framing.setter
    def framing(self, framing: Framing) -> None:
        self.decode.framing = framing

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        epoch, todo = self.take_epoch()
        order = np.concatenate([np.empty(0, dtype=self.indices.dtype), *todo])
        iterator = GuardedIterator(self, order, epoch)
        try:
            yield from iterator
        finally:
            iterator.close()
