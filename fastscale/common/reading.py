"""Reads untrusted files within bounds.

Size, depth and number of values are checked before anything is built, and errors are one line.
"""

import copy
import json
import os
import stat
import struct
from functools import lru_cache
from typing import Any

from fastscale.errors import InputError

MIB = 1 << 20
MAX_DEPTH = 50  # of nested lists and mappings; no file of ours has more than six
MAX_NODES = 200_000  # values in a YAML file after its aliases are expanded


def read_bytes(path: str | os.PathLike[str], most: int = 16 * MIB) -> bytes:
    """The content of a plain file of at most `most` bytes.

    InputError for a pipe, a device or a larger file; OSError if it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not wait
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: not a plain file")
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path}: larger than {most:,} bytes, the most such a file may have")
    return content


def read_text(path: str | os.PathLike[str], most: int = 16 * MIB) -> str:
    """`read_bytes` as text; InputError if it is not UTF-8."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None


def parse_json(text: str, where: str | os.PathLike[str], constants: bool = False) -> Any:
    """The value of a JSON text.

    InputError for anything else, for a key twice in one object, for values nested deeper than 50
    and, unless `constants`, for NaN and infinity.
    """
    try:
        value = json.loads(
            text,
            parse_constant=None if constants else _refuse_constant,
            parse_int=_whole_number,
            object_pairs_hook=_no_duplicates,
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{where}: not JSON ({reason})") from None
    if _deeper_than(value, MAX_DEPTH):
        raise InputError(f"{where}: not JSON (nested too deeply)")
    return value


def read_json(path: str | os.PathLike[str], most: int = 16 * MIB) -> Any:
    """The value in a JSON file; InputError as in `parse_json` and `read_text`, or OSError."""
    return parse_json(read_text(path, most), path)


def parse_yaml(text: str, where: str | os.PathLike[str]) -> Any:
    """The value of a YAML text, loaded safely; InputError for anything else.

    Depth and size after expanding aliases are checked before anything is built.
    """
    import yaml

    try:
        _check_yaml(text, where)
        return yaml.load(text, Loader=_yaml_loader())
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: not YAML ({' '.join(str(error).split())})") from None


def read_yaml(path: str | os.PathLike[str], most: int = 4 * MIB) -> Any:
    """The value in a YAML file; InputError as in `parse_yaml` and `read_text`, or OSError."""
    return copy.deepcopy(_parsed(read_text(path, most), str(path)))


@lru_cache(maxsize=64)
def _parsed(text: str, where: str) -> Any:
    """`parse_yaml`, cached: the same recipes and artifacts are read again and again."""
    return parse_yaml(text, where)


def _yaml_loader() -> Any:
    """libyaml's safe loader if PyYAML has it, else the slower one in Python."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_yaml(text: str, where: str | os.PathLike[str]) -> None:
    import yaml

    sizes: dict[str, int] = {}  # nodes under each anchor, its own aliases expanded
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_yaml_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
            if len(open_nodes) > MAX_DEPTH:
                raise InputError(f"{where}: not YAML (nested too deeply)")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise InputError(f"{where}: not YAML (alias {event.anchor!r} holds itself)")
            total += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if total > MAX_NODES:
            raise InputError(f"{where}: too large a YAML (more than {MAX_NODES:,} values)")


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _whole_number(text: str) -> int:
    if len(text) > 30:
        raise ValueError(f"{text[:12]}... is too large a number")
    return int(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(k for k, _ in pairs if sum(k == other for other, _ in pairs) > 1)
        raise ValueError(f"key {twice!r} occurs twice")
    return found


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def check_zip(path: str | os.PathLike[str], ratio: float = 4.0) -> None:
    """InputError for a zip file (as torch.save writes) that unpacks to over `ratio` times its size.

    Weights are stored uncompressed, so such a file is a zip bomb. Any other file passes.
    """
    import zipfile

    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return  # its reader raises the error
    if unpacked > ratio * os.path.getsize(path) + MIB:
        raise InputError(f"{path}: refused: it would unpack to {unpacked:,} bytes")
