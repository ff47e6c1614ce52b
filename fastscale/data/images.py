"""What a data set is to everything else: an ordered, picklable list of labelled images, each with a hash of its bytes."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

Say = Callable[[str], object]  # a print-like function that gets one line


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode (grey, palette, CMYK, alpha, 16 bit) to 8 bit RGB. PIL's own conversion clips 16 bit at 255; here they are scaled."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise ValueError(f"pixels of mode {image.mode} have no known range")
        image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


# What is opened, whatever the file's suffix: ImageNet has a PNG and CMYK JPEGs named .JPEG. No
# format that PIL hands to another program (EPS), and none that scripts.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 150_000_000  # of an image: a larger one is broken, or made to fill the memory
ORIENTATION = 0x0112  # EXIF: how the camera was held


def decode(data: bytes) -> Image.Image:
    """Encoded file bytes to a PIL RGB image, upright: turned as its EXIF orientation says, for
    training, evaluation and prediction alike. An exception (OSError, ValueError, ...) when they are
    damaged, of a format not in FORMATS, or of more than MAX_PIXELS."""
    with _opened(data) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(
                f"{image.width} x {image.height} pixels: more than {MAX_PIXELS:,}, which no such "
                "image has"
            )
        image.load()
        return _turned(to_rgb(image), _orientation(image))


def upright(data: bytes) -> bool:
    """Whether the pixels of these bytes lie as they are to be seen."""
    with _opened(data) as image:
        return _orientation(image) not in TURNS


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unusual EXIF or palettes are no news to the user
        try:
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise ValueError("not an image") from None  # PIL's own text holds an address in memory
        except Image.DecompressionBombError:
            raise ValueError(f"more than {MAX_PIXELS:,} pixels, which no such image has") from None
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
    """1 to 8; 1 where there is none that can be read. (Of a TIFF, PIL turns the pixels itself.)"""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # whatever damaged EXIF makes PIL raise: the pixels are whole
        return 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def files_stamp(paths: Iterable[Path]) -> str:
    """sha256 over these files' names, sizes and times of change."""
    seen = hashlib.sha256()
    for path in paths:
        s = os.stat(path)
        seen.update(f"{path.name}\0{s.st_size}\0{s.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def digest_of_list(digests: Iterable[str]) -> str:
    """sha256 of the ordered hashes, one a line: what `sha256sum FILES | cut -d' ' -f1 | sha256sum` prints."""
    seen = hashlib.sha256()
    for d in digests:
        seen.update(f"{d}\n".encode())
    return seen.hexdigest()


class ImageSet:
    """One split: `len`, `[i] -> (PIL RGB image, int label)`, `.labels` (N,) int64, `.classes`, names and hashes.

    A subclass gives `read(i)` and `_decode(data)`, `name(i)`. `costly`: decoding one image takes longer than sending it to another process.
    """

    costly = True
    left_out = ""  # in words: what lies among the images and is none

    def __init__(self, classes: Sequence[str], labels: np.ndarray):
        self.classes = tuple(classes)
        self.labels = np.asarray(labels, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Image.Image, int]:
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return Image.fromarray(self.pixels(i)), int(self.labels[i])

    def read(self, i: int) -> bytes:
        """The bytes that identify image i: the encoded file, or the raw array."""
        raise LookupError("a subclass says where the bytes are")

    def decode(self, data: bytes) -> np.ndarray:
        """What `read` gave, as (H, W, 3) uint8 RGB."""
        return np.asarray(decode(data))

    def pixels(self, i: int) -> np.ndarray:
        """Image i as (H, W, 3) uint8 RGB."""
        return self.decode(self.read(i))

    def name(self, i: int) -> str:
        """How a message calls image i: its file, or its number."""
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
        """(file, bytes, time of change in ns) of every image; None where an image is no file."""
        return None

    def stamp(self) -> str:
        """Changes when an image may have changed; cheaper than `list_digest` where that can be."""
        return self.list_digest()

    def limited(self, count: int | None) -> ImageSet:
        """At most `count` of the images, the same ones every time, spread over the classes, in their order."""
        return (
            self if count is None or count >= len(self) else Subset(self, spread(len(self), count))
        )


def spread(total: int, count: int) -> np.ndarray:
    """`count` of `total` indices, drawn once and for all, ascending: a split's files are sorted by class, so its first ones won't do."""
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
