"""A data set as the rest of the package sees it: an ordered, picklable list of labelled images."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

Say = Callable[[str], object]  # a print-like function that gets one line


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode (grey, palette, CMYK, alpha, 16-bit) as 8-bit RGB.

    16-bit values are scaled; PIL's own conversion clips them at 255. ValueError if the range of
    the pixels is unknown.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ValueError(f"pixels of mode {image.mode} have no known range")
        image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


# Formats that are opened, whatever the suffix: ImageNet has a PNG and CMYK JPEGs named .JPEG. None
# that can contain scripts or that PIL passes to another program (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 150_000_000  # a larger image is broken, or made to fill the memory
ORIENTATION = 0x0112  # the EXIF tag of how the camera was held


def decode(data: bytes) -> Image.Image:
    """Decode an image file to a PIL RGB image, rotated upright by its EXIF orientation.

    Used for training, evaluation and prediction. Raises OSError, ValueError or another exception
    for damaged data, formats not in FORMATS, and more than MAX_PIXELS.
    """
    with _opened(data) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(
                f"{image.width} x {image.height} pixels: more than the limit of {MAX_PIXELS:,}"
            )
        image.load()
        return _turned(to_rgb(image), _orientation(image))


def upright(data: bytes) -> bool:
    """Whether the stored pixels are upright: EXIF asks for no rotation."""
    with _opened(data) as image:
        return _orientation(image) not in TURNS


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unusual EXIF data and palettes do not matter
        try:
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise ValueError("not an image") from None  # PIL's text contains a memory address
        except Image.DecompressionBombError:
            raise ValueError(f"more than the limit of {MAX_PIXELS:,} pixels") from None
        with opened as image:
            yield image


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1 if there is none that can be read. (PIL rotates TIFF images itself.)"""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data; the pixels are complete
        return 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def files_stamp(paths: Iterable[Path]) -> str:
    """sha256 of these files' names, sizes and modification times."""
    seen = hashlib.sha256()
    for path in paths:
        s = os.stat(path)
        seen.update(f"{path.name}\0{s.st_size}\0{s.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def digest_of_list(digests: Iterable[str]) -> str:
    """sha256 of the ordered hashes, one a line.

    The same as `sha256sum FILES | cut -d' ' -f1 | sha256sum`.
    """
    seen = hashlib.sha256()
    for d in digests:
        seen.update(f"{d}\n".encode())
    return seen.hexdigest()


class ImageSet(ABC):
    """One split: `len`, `[i] -> (PIL RGB image, int label)`, `.labels` (N,) int64, `.classes`.

    A subclass defines `read(i)` and may override `decode(data)` and `name(i)`. `costly`: decoding
    an image takes longer than sending it to another process. `left_out` describes what lies among
    the images and was left out.
    """

    costly = True
    left_out = ""

    def __init__(self, classes: Sequence[str], labels: np.ndarray):
        self.classes = tuple(classes)
        self.labels = np.asarray(labels, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Image.Image, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return Image.fromarray(self.pixels(i)), int(self.labels[i])

    @abstractmethod
    def read(self, i: int) -> bytes:
        """The bytes that identify image i: the encoded file, or the raw array."""

    def decode(self, data: bytes) -> np.ndarray:
        """The bytes from `read` as (H, W, 3) uint8 RGB."""
        return np.asarray(decode(data))

    def pixels(self, i: int) -> np.ndarray:
        """Image i as (H, W, 3) uint8 RGB."""
        return self.decode(self.read(i))

    def name(self, i: int) -> str:
        """The name of image i in messages: its file or its number."""
        return f"image {i}"

    def digest(self, i: int) -> str:
        """sha256 (hex) of the bytes of image i."""
        return hashlib.sha256(self.read(i)).hexdigest()

    def digests(self) -> list[str]:
        """sha256 (hex) of every image, read now."""
        return [self.digest(i) for i in range(len(self))]

    def list_digest(self) -> str:
        """sha256 (hex) of the ordered list of the images' hashes."""
        return digest_of_list(self.digests())

    def states(self) -> list[tuple[str, int, int]] | None:
        """(file, bytes, modification time in ns) of every image; None if images are not files."""
        return None

    def stamp(self) -> str:
        """A text that changes when an image may have changed; cheaper than `list_digest`."""
        return self.list_digest()

    def limited(self, count: int | None) -> ImageSet:
        """At most `count` images spread over the classes, in order and the same every time."""
        if count is None or count >= len(self):
            return self
        return Subset(self, spread(len(self), count))


def spread(total: int, count: int) -> np.ndarray:
    """`count` of `total` indices, ascending and the same every time.

    They are drawn at random: the files of a split are sorted by class.
    """
    return np.sort(np.random.default_rng(0).permutation(total)[:count])


class Subset(ImageSet):
    """Some images of another set."""

    def __init__(self, whole: ImageSet, indices: np.ndarray):
        super().__init__(whole.classes, whole.labels[indices])
        self.left_out = whole.left_out
        self.whole, self.indices, self.costly = whole, [int(i) for i in indices], whole.costly

    def read(self, i: int) -> bytes:
        return self.whole.read(self.indices[i])

    def decode(self, data: bytes) -> np.ndarray:
        return self.whole.decode(data)

    def name(self, i: int) -> str:
        return self.whole.name(self.indices[i])

    def states(self) -> list[tuple[str, int, int]] | None:
        states = self.whole.states()
        return None if states is None else [states[i] for i in self.indices]

    def stamp(self) -> str:
        return f"{self.whole.stamp()} {len(self)} of {len(self.whole)}"
