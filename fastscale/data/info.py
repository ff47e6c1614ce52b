"""The JSON beside a `.beton`: what it was made of, how, and what it must look like.

Version 2 knows labels, stored form and content. Files of version 1 are still read; `data write`
brings them up to date (upgrade.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fastscale.common import number, read_json
from fastscale.errors import InputError

INFO_VERSION = 2
COUNTS = ("kept", "raw", "encoded", "shrunk", "unproven")
MAX_CLASSES = 1_000_000
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class BetonInfo:
    """What is known of one `.beton`."""

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
    labels_digest: str = ""  # sha256 of the ordered labels; the fields from here on: version 2
    # images by how they are stored: byte by byte, raw pixels, as a new JPEG; shrunk ones are
    # counted again; unproven: of a version 1 store whose source was gone
    counts: dict[str, int] = field(default_factory=dict)
    content_sha256: str = ""  # of the pages of image data
    modified_ns: int = 0  # the .beton's time of change; with another one its content is hashed
    folders: tuple[str, ...] = ()  # class folders and those in them, where the source has such
    folders_stamp: str = ""  # of their times of change
    place: str = ""  # state of the source's archive, where it has one
    version: int = INFO_VERSION

    def text(self) -> str:
        """As it lies in the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @property
    def stored(self) -> dict[str, Any]:
        """How pixels were changed by storing; {} where they are the source's own."""
        if not any(self.counts.get(k) for k in ("encoded", "shrunk", "unproven")):
            return {}
        form = {k: self.settings[k] for k in ("max_resolution", "jpeg_quality", "raw_share")}
        return {**form, "unproven": True} if self.counts.get("unproven") else form


def info_path(path: Path) -> Path:
    """train.beton -> train.json"""
    return path.with_suffix(".json")


def parse_info(path: Path) -> BetonInfo:
    """The description at `path`, every field checked. ValueError (InputError) or OSError."""
    found = read_json(path)
    names = {f.name for f in fields(BetonInfo)}
    required = {f.name for f in fields(BetonInfo) if f.default is MISSING and not _made(f)}
    if not isinstance(found, dict) or found.get("version") not in (1, INFO_VERSION):
        raise ValueError("not of a version that is read here")
    wanted = required | {"version"} if found["version"] == 1 else names
    if set(found) != wanted:
        raise ValueError(f"its fields are not those of version {found['version']}")
    for name, value in found.items():
        _CHECKS[name](name, value)
    lists = {k: tuple(v) for k, v in found.items() if isinstance(v, list)}
    info = BetonInfo(**{**found, **lists})
    if len(info.class_counts) != len(info.classes) or sum(info.class_counts) != info.count:
        raise ValueError("class_counts do not belong to classes and count")
    return info


def _made(f: Any) -> bool:
    return f.default_factory is not MISSING


def _wrong(name: str, wanted: str) -> ValueError:
    return ValueError(f"{name}: wanted {wanted}")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > 100_000:
        raise _wrong(name, "text")


def _texts(name: str, value: Any) -> None:
    distinct = isinstance(value, list) and all(isinstance(v, str) for v in value)
    if not distinct or len(value) > MAX_CLASSES or len(set(value)) < len(value):
        raise _wrong(name, "a list of different texts")


def _count(name: str, value: Any) -> None:
    if isinstance(value, str | float):
        raise _wrong(name, "a whole number")
    number(value, 0, 2**63, whole=True)


def _counts(name: str, value: Any) -> None:
    if not isinstance(value, list) or not value:
        raise _wrong(name, "a list of whole numbers")
    for v in value:
        _count(name, v)


def _hash(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _wrong(name, "64 hexadecimal digits")


def _channels(name: str, value: Any) -> None:
    plain = isinstance(value, list) and not any(isinstance(v, str | bool) for v in value)
    if not plain or len(value) != 3:
        raise _wrong(name, "3 numbers from 0 to 255")
    for v in value:
        number(v, 1e-3 if name == "std" else 0, 255)


def _settings(name: str, value: Any) -> None:
    wanted = {"max_resolution", "jpeg_quality", "raw_share", "limit"}
    if not isinstance(value, dict) or set(value) != wanted:
        raise _wrong(name, ", ".join(sorted(wanted)))
    for key, v in value.items():
        if key == "raw_share":
            number(v, 0, 1)
        elif v is not None:
            _count(key, v)


def _tally(name: str, value: Any) -> None:
    if not isinstance(value, dict) or set(value) != set(COUNTS):
        raise _wrong(name, ", ".join(COUNTS))
    for key, v in value.items():
        _count(key, v)


def _split(name: str, value: Any) -> None:
    if value not in ("train", "val"):
        raise _wrong(name, "train or val")


_CHECKS = {
    **dict.fromkeys(("source", "stamp", "command", "place", "folders_stamp"), _text),
    **dict.fromkeys(("classes", "folders"), _texts),
    **dict.fromkeys(("count", "skipped", "bytes", "version", "modified_ns"), _count),
    **dict.fromkeys(("list_digest", "index_sha256", "labels_digest", "content_sha256"), _hash),
    **dict.fromkeys(("mean", "std"), _channels),
    "class_counts": _counts,
    "split": _split,
    "settings": _settings,
    "counts": _tally,
}


def unreadable(path: Path, error: Exception, advice: str) -> InputError:
    """What is said of a description that cannot be read."""
    reason = str(error).removeprefix(f"{path}: ")
    return InputError(f"{path}: not the description of a .beton file ({reason}){advice}")
