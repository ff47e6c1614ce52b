"""Checks of a `.beton` file and the JSON beside it.

FFCV reads past the end of a truncated file, so every file is checked before it is opened. The
layout is FFCV's (version 2): header, field descriptors, one row of metadata per sample, pages of
image data, and a table of where each sample's data lies. The types are repeated here so that files
can be written and checked without FFCV.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import IO

import numpy as np

from fastscale.data.identity import labels_digest
from fastscale.data.info import BetonInfo, info_path, parse_info, unreadable
from fastscale.errors import InputError

FFCV_VERSION = 2  # of the file format
HEADER = np.dtype(
    [
        ("version", "<u2"),
        ("num_fields", "<u2"),
        ("page_size", "<u4"),
        ("num_samples", "<u8"),
        ("table", "<u8"),
    ],
    align=True,
)
FIELD = np.dtype(
    [("type_id", "<u1"), ("name", ("<u1", 16)), ("arguments", ("<u1", (1024,)))], align=True
)
FIELDS = (("image", 2), ("label", 1))  # FFCV's RGBImageField and IntField
IMAGE = np.dtype([("mode", "<u1"), ("width", "<u2"), ("height", "<u2"), ("pointer", "<u8")])
ROW = np.dtype([("image", IMAGE), ("label", "<i8")], align=True)
TABLE = np.dtype([("sample", "<u8"), ("pointer", "<u8"), ("size", "<u8")])
JPG, RAW = 0, 1
ROWS_AT = HEADER.itemsize + len(FIELDS) * FIELD.itemsize


def field_descriptors() -> np.ndarray:
    out = np.zeros(len(FIELDS), dtype=FIELD)
    for row, (name, type_id) in zip(out, FIELDS, strict=True):
        row["type_id"] = type_id
        row["name"][: len(name)] = np.frombuffer(name.encode(), dtype=np.uint8)
    return out


def _advice(command: str | None) -> str:
    return f"; rewrite it with: {command or 'fastscale data write SOURCE'}"


def check_beton(path: str | Path, command: str | None = None) -> str:
    """InputError unless `path` is a complete `.beton` of labelled images, with every read inside.

    Reads header, metadata and table only (48 bytes an image). `command`: the command that the
    message recommends. Returns the sha256 of the index.
    """
    return read_index(path, command).sha256


class Index:
    """Header, metadata and table of a checked file: `.rows` (N,) of ROW, `.sizes` (N,) int64."""

    def __init__(self, sha256: str, rows: np.ndarray, sizes: np.ndarray, data_end: int):
        self.sha256, self.rows, self.sizes, self.data_end = sha256, rows, sizes, data_end
        self.data_start = int(rows["image"]["pointer"].min())

    @property
    def labels_digest(self) -> str:
        return labels_digest(self.rows["label"])


def read_index(path: str | Path, command: str | None = None) -> Index:
    """Check a file as `check_beton` does and return its index."""
    path, advice = Path(path), _advice(command)
    with _open(path, advice) as file:
        return _checked(file, path, advice)


def _open(path: Path, advice: str) -> IO[bytes]:
    if not path.exists():
        raise InputError(f"{path}: no such file{advice}")
    if not path.is_file():
        raise InputError(f"{path}: not a file{advice}")
    try:
        return open(path, "rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}{advice}") from None


def _checked(file: IO[bytes], path: Path, advice: str) -> Index:
    def read(kind: np.dtype, count: int, offset: int) -> np.ndarray:
        file.seek(offset)
        data = file.read(count * kind.itemsize)
        if len(data) < count * kind.itemsize:
            raise InputError(f"{path}: cut short during reading{advice}")
        return np.frombuffer(data, dtype=kind)

    size = os.fstat(file.fileno()).st_size
    if size < ROWS_AT:
        raise InputError(f"{path}: only {size} bytes, cut short or not a .beton file{advice}")
    head = read(HEADER, 1, 0)[0]
    described = read(FIELD, len(FIELDS), HEADER.itemsize)
    if head["version"] != FFCV_VERSION or head["num_fields"] != len(FIELDS):
        raise InputError(
            f"{path}: not a .beton file of images and labels (FFCV format {FFCV_VERSION}){advice}"
        )
    wanted = field_descriptors()
    if any((described[k] != wanted[k]).any() for k in ("type_id", "name")):
        raise InputError(f"{path}: its fields are not 'image' and 'label'{advice}")
    at, n = int(head["table"]), int(head["num_samples"])
    if at == 0 or n == 0 or size != at + n * TABLE.itemsize or at < ROWS_AT + n * ROW.itemsize:
        raise InputError(
            f"{path}: cut short, or writing it was never finished ({size} bytes){advice}"
        )
    rows, table = read(ROW, n, ROWS_AT), read(TABLE, n, at)
    image = rows["image"]
    table = table[np.argsort(table["sample"], kind="stable")]
    pixels = 3 * image["width"].astype(np.int64) * image["height"].astype(np.int64)
    sizes, start = table["size"].astype(np.int64), table["pointer"].astype(np.int64)
    sound = (
        (table["sample"] == np.arange(n)).all()
        and (image["pointer"] == table["pointer"]).all()
        and (sizes > 0).all()
        and (start >= ROWS_AT + n * ROW.itemsize).all()
        and (start + sizes <= at).all()
        and (pixels > 0).all()
        and np.isin(image["mode"], (JPG, RAW)).all()
        and (sizes == pixels)[image["mode"] == RAW].all()
    )
    if not sound:
        raise InputError(f"{path}: damaged index{advice}")
    index = hashlib.sha256()
    for part in (head, described, rows, table):
        index.update(part.tobytes())
    return Index(index.hexdigest(), rows, sizes, at)


def content_sha256(path: str | Path, index: Index) -> str:
    """sha256 of the image data: every byte from the first image to the table."""
    seen, at = hashlib.sha256(), index.data_start
    with open(path, "rb") as file:
        file.seek(at)
        while at < index.data_end and (block := file.read(min(1 << 22, index.data_end - at))):
            seen.update(block)
            at += len(block)
    return seen.hexdigest()


def read_info(path: str | Path, command: str | None = None, *, old: bool = False) -> BetonInfo:
    """The JSON beside the `.beton` at `path`.

    InputError unless both are complete and belong together. `old`: accept descriptions of
    version 1.
    """
    return read_both(path, command, old=old)[0]


def read_both(
    path: str | Path, command: str | None = None, *, old: bool = False
) -> tuple[BetonInfo, Index]:
    """The description, as `read_info`, and the file's index."""
    path = Path(path)
    beside, advice = info_path(path), _advice(command)
    if not path.exists():
        raise InputError(f"{path}: not written yet{advice.replace('rewrite', 'write', 1)}")
    try:
        info = parse_info(beside)
    except FileNotFoundError:
        raise InputError(
            f"{beside}: missing, so {path.name} was not finished or was not written by fastscale"
            f"{advice}"
        ) from None
    except OSError as e:
        reason = "it is a folder" if e.errno == errno.EISDIR else e.strerror or e
        raise unreadable(beside, ValueError(str(reason)), advice) from None
    except (ValueError, TypeError, KeyError) as e:
        raise unreadable(beside, e, advice) from None
    command = command or info.command
    advice = _advice(command)
    if (size := path.stat().st_size) != info.bytes:
        raise InputError(
            f"{path}: {size} bytes, {beside.name} says {info.bytes}: "
            f"cut short or another file{advice}"
        )
    index = read_index(path, command)
    labels = index.rows["label"]
    belongs = index.sha256 == info.index_sha256 and len(labels) == info.count
    if belongs and info.version > 1:
        belongs = index.labels_digest == info.labels_digest
    if not belongs or labels.min() < 0 or labels.max() >= len(info.classes):
        raise InputError(f"{path}: not the file that {beside.name} describes{advice}")
    if info.version == 1 and not old:
        raise of_version_1(path, command)
    return info, index


def of_version_1(path: Path, command: str) -> InputError:
    """The error for a store that an earlier version wrote."""
    return InputError(
        f"{path}: written by an earlier version, which did not keep labels and stored form; "
        f"update it (matching images are not encoded again) with: {command}"
    )


def damaged(path: Path, info: BetonInfo, index: Index, *, thorough: bool = False) -> bool:
    """Whether the image data differs from what was written.

    The data is hashed only if the file's modification time has changed (a copy has another one),
    or if `thorough`.
    """
    if not info.content_sha256 or (not thorough and path.stat().st_mtime_ns == info.modified_ns):
        return False
    return content_sha256(path, index) != info.content_sha256
