"""What a `.beton` file and the JSON beside it must be. FFCV reads past the end of a cut file, so every file is checked before it is opened.

The layout is FFCV's (version 2): header, field descriptors, one row of metadata a sample, pages of image data, and at the end a table that
says where each sample's data lies. The types are repeated here so that a file can be written and checked where FFCV is not installed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

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
INFO_VERSION = 1


def field_descriptors() -> np.ndarray:
    out = np.zeros(len(FIELDS), dtype=FIELD)
    for row, (name, type_id) in zip(out, FIELDS, strict=True):
        row["type_id"] = type_id
        row["name"][: len(name)] = np.frombuffer(name.encode(), dtype=np.uint8)
    return out


@dataclass(frozen=True)
class BetonInfo:
    """The JSON beside a `.beton`: what it was made of, how, and what it must look like."""

    source: str
    split: str
    classes: tuple[str, ...]
    count: int
    class_counts: tuple[int, ...]
    settings: dict[str, Any]  # max_resolution, jpeg_quality, raw_share, limit
    mean: tuple[float, ...]  # of R, G, B, 0..255
    std: tuple[float, ...]
    list_digest: str  # sha256 of the ordered list of the source files' sha256
    stamp: str  # cheap witness that the source files are still the same ones
    skipped: int  # broken images left out
    bytes: int  # size of the .beton
    index_sha256: str  # of its header, metadata and table
    command: str  # writes it again
    version: int = INFO_VERSION

    def save(self, path: Path) -> None:
        path.write_text(
            json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def info_path(path: Path) -> Path:
    """train.beton -> train.json"""
    return path.with_suffix(".json")


def _read_json(path: Path) -> BetonInfo:
    wanted = json.loads(path.read_text(encoding="utf-8"))
    names = {f.name for f in fields(BetonInfo)}
    if not isinstance(wanted, dict) or set(wanted) != names or wanted["version"] != INFO_VERSION:
        raise ValueError("not of this version")
    tuples = {k: tuple(wanted[k]) for k in ("classes", "class_counts", "mean", "std")}
    return BetonInfo(**{**wanted, **tuples})


def _advice(command: str | None) -> str:
    return (
        f"; make it again with: {command}"
        if command
        else "; make it again with: fastscale data write SOURCE"
    )


def check_beton(path: str | Path, command: str | None = None) -> str:
    """InputError unless `path` is a whole `.beton` of labelled images in which every read stays inside. Returns the sha256 of its index.

    Reads header, metadata and table only (48 bytes an image). `command`: what the message recommends.
    """
    path, advice = Path(path), _advice(command)
    if not path.exists():
        raise InputError(f"{path}: no such file{advice}")
    if not path.is_file():
        raise InputError(f"{path}: not a file{advice}")
    size = path.stat().st_size
    if size < ROWS_AT:
        raise InputError(f"{path}: only {size} bytes, cut short or not a .beton file{advice}")
    head = np.fromfile(path, dtype=HEADER, count=1)[0]
    described = np.fromfile(path, dtype=FIELD, count=len(FIELDS), offset=HEADER.itemsize)
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
            f"{path}: cut short, or its writing was never finished ({size} bytes){advice}"
        )
    rows = np.fromfile(path, dtype=ROW, count=n, offset=ROWS_AT)
    table = np.fromfile(path, dtype=TABLE, count=n, offset=at)
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
    return index.hexdigest()


def read_info(path: str | Path, command: str | None = None) -> BetonInfo:
    """The JSON beside the `.beton` at `path`, after both were checked to be whole and to belong together; else InputError."""
    path = Path(path)
    beside, advice = info_path(path), _advice(command)
    if not path.exists():
        raise InputError(f"{path}: not written yet{advice.replace('again ', '')}")
    try:
        info = _read_json(beside)
    except FileNotFoundError:
        raise InputError(
            f"{beside}: missing, so {path.name} was not finished or was not written by fastscale{advice}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise InputError(f"{beside}: not the description of a .beton file ({e}){advice}") from e
    advice = _advice(command or info.command)
    if (size := path.stat().st_size) != info.bytes:
        raise InputError(
            f"{path}: {size} bytes, {beside.name} says {info.bytes}: cut short or another file{advice}"
        )
    if check_beton(path, command or info.command) != info.index_sha256:
        raise InputError(f"{path}: not the file that {beside.name} describes{advice}")
    return info
