"""One source image to the bytes that a `.beton` stores, and many of them in parallel processes, in order."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fastscale.common import leave_signals_to_parent
from fastscale.data.beton import JPG, RAW
from fastscale.data.beton_file import MAX_SIDE, page_size
from fastscale.data.framing import uniforms
from fastscale.data.images import ImageSet, upright
from fastscale.data.workers import (
    OPEN_FILES,
    be_silent,
    check_open_files,
    end_with_parent,
    too_many_files,
)
from fastscale.errors import InputError

SMALL = 64  # images with no longer side are stored raw: JPEG would spoil them and save little
CHUNK = 32
JPEG_START = b"\xff\xd8\xff"
MEAN_DIFFERENCE = 3.0  # grey levels between two JPEG decoders; a wrong colour space is dozens
UNKNOWN_PAGE = 1 << 23  # FFCV's own default: a raw image of 1672 x 1672, or any usual JPEG

NOT_THE_IMAGE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # the machine's limits
QUALITY = 90  # of JPEGs that are made where none was asked for


@dataclass(frozen=True)
class Settings:
    """How images are stored: longer side at most `max_resolution`, JPEG of this quality, a share of them raw.

    `jpeg_quality` None: a JPEG file that is small enough is kept byte by byte; what has to be encoded gets quality 90.
    """

    max_resolution: int | None
    jpeg_quality: int | None = None
    raw_share: float = 0.0

    def __post_init__(self) -> None:
        if self.max_resolution is not None and not 1 <= self.max_resolution <= MAX_SIDE:
            raise InputError(f"max_resolution {self.max_resolution}: wanted 1 to {MAX_SIDE} pixels")
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise InputError(f"jpeg_quality {self.jpeg_quality}: wanted 1 to 100")
        if not 0 <= self.raw_share <= 1:
            raise InputError(f"raw_share {self.raw_share}: wanted 0 to 1")

    @property
    def page(self) -> int:
        """Bytes of the file's pages: room for the largest image, as far as it is known."""
        return page_size(3 * self.max_resolution**2 + 4096) if self.max_resolution else UNKNOWN_PAGE


@dataclass(frozen=True)
class Stored:
    """Image `index` as it goes into the file; `problem` is set, and nothing else, when it is broken."""

    index: int
    data: bytes = b""
    mode: int = RAW
    width: int = 0
    height: int = 0
    digest: str = ""
    problem: str = ""
    how: str = ""  # kept, raw or encoded
    shrunk: bool = False


def encode(images: ImageSet, index: int, settings: Settings) -> Stored:
    """Read, hash, decode, shrink (area average) and encode one image."""
    import cv2

    try:
        source = images.read(index)
        pixels = images.decode(source)
        height, width = pixels.shape[:2]
        shrunk = (
            settings.max_resolution is not None and max(height, width) > settings.max_resolution
        )
        if shrunk:
            ratio = (settings.max_resolution or 0) / max(height, width)
            width, height = max(1, int(width * ratio)), max(1, int(height * ratio))
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        if max(height, width) > MAX_SIDE:
            raise ValueError(
                f"{width} x {height} pixels: a side above {MAX_SIDE} can't be stored; set max_resolution"
            )
        raw = (
            max(height, width) <= SMALL
            or float(uniforms(0, 0, np.array([index]), 1)[0, 0]) < settings.raw_share
        )
        if raw:
            data = np.ascontiguousarray(pixels).tobytes()
        elif settings.jpeg_quality is None and not shrunk and reads_alike(source, pixels):
            data = source
        else:
            quality = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality or QUALITY]
            done, jpg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
            if not done:
                raise ValueError("can't be stored as JPEG")
            data = jpg.tobytes()
        if len(data) > settings.page:
            raise ValueError(
                f"needs {len(data)} bytes, {settings.page} is the most; set max_resolution"
            )
    except Exception as e:  # whatever a damaged file makes a decoder raise
        if isinstance(e, MemoryError) or getattr(e, "errno", None) in NOT_THE_IMAGE:
            raise  # nothing is said about the image: it must not be left out as broken
        return Stored(index, problem=" ".join(f"{e or type(e).__name__}".split()))
    how = "raw" if raw else "kept" if data is source else "encoded"
    digest = hashlib.sha256(source).hexdigest()
    return Stored(index, data, RAW if raw else JPG, width, height, digest, how=how, shrunk=shrunk)


@cache
def _turbojpeg() -> Callable[..., int] | None:
    """FFCV's decoder, which will read what is stored; None where FFCV is not installed."""
    if importlib.util.find_spec("ffcv") is None:
        return None
    from fastscale.data.ffcv_decoder import decode_jpeg

    return decode_jpeg


def reads_alike(source: bytes, pixels: np.ndarray) -> bool:
    """Whether `source` is a JPEG file of which FFCV's decoder makes the same picture, without a warning, as PIL made (`pixels`).

    Not so: other formats under a JPEG's name, CMYK, files with bytes too many or too few, which PIL
    forgives, and pictures that EXIF turns, which FFCV's decoder leaves as they lie.
    """
    decode = _turbojpeg()
    if decode is None or not source.startswith(JPEG_START) or not upright(source):
        return False
    file, out = np.frombuffer(source, dtype=np.uint8), np.zeros_like(pixels)
    height, width = pixels.shape[:2]
    if decode(file.ctypes.data, len(source), height, width, out.ctypes.data):
        return False
    return float(np.abs(out.astype(np.int16) - pixels).mean()) <= MEAN_DIFFERENCE


_JOB: list[Any] = []  # of a worker process: the images and settings


def _start_worker(images: ImageSet, settings: Settings, parent: int) -> None:
    end_with_parent(parent)
    be_silent()
    import cv2

    _JOB[:] = [images, settings]
    cv2.setNumThreads(1)  # one process a core; and OpenCV's threads do not survive a fork
    leave_signals_to_parent()


def _encode_chunk(start: int, stop: int) -> list[Stored]:
    return [encode(_JOB[0], i, _JOB[1]) for i in range(start, stop)]


def _encode_here(images: ImageSet, settings: Settings) -> Iterator[Stored]:
    for i in range(len(images)):
        try:
            yield encode(images, i, settings)
        except OSError as e:
            raise InputError(f"{images.name(i)}: {e.strerror}") from e


def encode_all(images: ImageSet, settings: Settings, workers: int) -> Iterator[Stored]:
    """Every image of the set, in order. `workers` 0: in this process.

    InputError when a worker process dies, or memory or open files do not suffice for them.
    """
    if workers <= 0:
        yield from _encode_here(images, settings)
        return
    _turbojpeg()  # once, not in every worker
    check_open_files(workers)
    try:
        yield from _encode_there(images, settings, workers)
    except BrokenProcessPool as e:
        reason = OPEN_FILES if too_many_files(e) else KILLED
        raise InputError(reason) from e
    except MemoryError as e:
        raise InputError(KILLED) from e
    except OSError as e:
        if too_many_files(e):
            raise InputError(OPEN_FILES) from e
        raise


KILLED = "a process that encodes images was killed (out of memory?): try again with fewer workers"


def _encode_there(images: ImageSet, settings: Settings, workers: int) -> Iterator[Stored]:
    starts = iter(range(0, len(images), CHUNK))
    running: deque[Future[list[Stored]]] = deque()
    pool = ProcessPoolExecutor(
        workers, initializer=_start_worker, initargs=(images, settings, os.getpid())
    )
    done = False
    try:
        while True:
            for start in starts:
                running.append(pool.submit(_encode_chunk, start, min(start + CHUNK, len(images))))
                if len(running) >= 4 * workers:  # enough ahead; more would only fill the memory
                    break
            if not running:
                done = True
                return
            yield from running.popleft().result()
    finally:
        if not done:  # Ctrl-C, TERM, an error: nobody waits for what is being encoded
            for worker in list((pool._processes or {}).values()):
                worker.kill()
        pool.shutdown(wait=True, cancel_futures=True)
