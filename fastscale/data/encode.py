"""Encodes source images as a `.beton` stores them, in parallel processes and in order."""

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

SMALL = 64  # images up to this side are stored raw: JPEG would spoil them and save little
CHUNK = 32
JPEG_START = b"\xff\xd8\xff"
MEAN_DIFFERENCE = 3.0  # grey levels between two JPEG decoders; a wrong colour space gives dozens
UNKNOWN_PAGE = 1 << 23  # FFCV's default: room for a raw image of 1672 x 1672, or any usual JPEG

NOT_THE_IMAGE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # limits of the machine
QUALITY = 90  # default JPEG quality


@dataclass(frozen=True)
class Settings:
    """How images are stored: maximum longer side, JPEG quality, share stored as raw pixels.

    `jpeg_quality` None: JPEG files that are small enough are kept byte for byte; images that must
    be encoded get quality 90.
    """

    max_resolution: int | None
    jpeg_quality: int | None = None
    raw_share: float = 0.0

    def __post_init__(self) -> None:
        if self.max_resolution is not None and not 1 <= self.max_resolution <= MAX_SIDE:
            raise InputError(
                f"max_resolution {self.max_resolution}: must be 1 to {MAX_SIDE} pixels"
            )
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise InputError(f"jpeg_quality {self.jpeg_quality}: must be 1 to 100")
        if not 0 <= self.raw_share <= 1:
            raise InputError(f"raw_share {self.raw_share}: must be 0 to 1")

    @property
    def page(self) -> int:
        """Bytes of a page of the file: room for the largest image, if its size is known."""
        return page_size(3 * self.max_resolution**2 + 4096) if self.max_resolution else UNKNOWN_PAGE


@dataclass(frozen=True)
class Stored:
    """Image `index` as stored. For a broken image, only `problem` is set."""

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
                f"{width} x {height} pixels: sides above {MAX_SIDE} cannot be stored; "
                "set max_resolution"
            )
        raw = (
            max(height, width) <= SMALL
            or float(uniforms(0, 0, np.array([index]), 1)[0, 0]) < settings.raw_share
        )
        if raw:
            data = np.ascontiguousarray(pixels).tobytes()
        elif settings.jpeg_quality is None and not shrunk and ffcv_agrees(source, pixels):
            data = source
        else:
            quality = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality or QUALITY]
            done, jpg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
            if not done:
                raise ValueError("cannot be stored as JPEG")
            data = jpg.tobytes()
        if len(data) > settings.page:
            raise ValueError(
                f"needs {len(data)} bytes, more than {settings.page}; set max_resolution"
            )
    except Exception as e:  # decoders raise almost anything on damaged files
        if isinstance(e, MemoryError) or getattr(e, "errno", None) in NOT_THE_IMAGE:
            raise  # not the image's fault: it must not be skipped as broken
        return Stored(index, problem=" ".join(f"{e or type(e).__name__}".split()))
    how = "raw" if raw else "kept" if data is source else "encoded"
    digest = hashlib.sha256(source).hexdigest()
    return Stored(index, data, RAW if raw else JPG, width, height, digest, how=how, shrunk=shrunk)


@cache
def _turbojpeg() -> Callable[..., int] | None:
    """FFCV's decoder, which will read the stored file; None if FFCV is not installed."""
    if importlib.util.find_spec("ffcv") is None:
        return None
    from fastscale.data.ffcv_decoder import decode_jpeg

    return decode_jpeg


def ffcv_agrees(source: bytes, pixels: np.ndarray) -> bool:
    """Whether FFCV's decoder makes the same image of a JPEG file as PIL did (`pixels`).

    False for other formats under a JPEG's name, CMYK, files with missing or extra bytes (which PIL
    forgives), and images with an EXIF rotation (which FFCV's decoder ignores).
    """
    decode = _turbojpeg()
    if decode is None or not source.startswith(JPEG_START) or not upright(source):
        return False
    file, out = np.frombuffer(source, dtype=np.uint8), np.zeros_like(pixels)
    height, width = pixels.shape[:2]
    if decode(file.ctypes.data, len(source), height, width, out.ctypes.data):
        return False
    return float(np.abs(out.astype(np.int16) - pixels).mean()) <= MEAN_DIFFERENCE


_JOB: list[Any] = []  # in a worker process: the images and settings


def _start_worker(images: ImageSet, settings: Settings, parent: int) -> None:
    end_with_parent(parent)
    be_silent()
    import cv2

    _JOB[:] = [images, settings]
    cv2.setNumThreads(1)  # one process per core; OpenCV's threads do not survive a fork
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
    """Encode every image of the set, in order. `workers` 0: in this process.

    InputError if a worker process dies, or if memory or open files run out.
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
                if len(running) >= 4 * workers:  # more would only fill the memory
                    break
            if not running:
                done = True
                return
            yield from running.popleft().result()
    finally:
        if not done:  # after Ctrl-C, TERM or an error nobody needs the results
            for worker in list((pool._processes or {}).values()):
                worker.kill()
        pool.shutdown(wait=True, cancel_futures=True)
