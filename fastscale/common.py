"""Files written whole, files read within bounds, text that is safe to show: what every room needs and none owns.

Knows no other room but `errors`. Nothing here imports torch.
"""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import re
import signal
import stat
import struct
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any

from fastscale.errors import InputError

MIB = 1 << 20
IMAGENET_IMAGES = 1_281_167  # of training
IMAGENET_PIXELS = 224  # the usual resolution, cut from IMAGENET_RESIZED at test time
IMAGENET_RESIZED = 256
# of its R, G, B, on the scale 0 to 255; what is not known of other photographs is taken from here
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
MAX_DEPTH = 50  # of nested lists and mappings in a file: no file of ours has more than six
MAX_NODES = 200_000  # values in a YAML file after its aliases are expanded
_PART = re.compile(r"\.(?P<host>[0-9a-f]{4})-(?P<pid>\d+)\.part\Z")


def die_with_parent(sign: int = signal.SIGTERM) -> None:
    """Called in a child process: on Linux, the signal reaches it when its parent is gone, however it went."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, sign)  # PR_SET_PDEATHSIG


# ---- writing ----------------------------------------------------------------------------------


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new binary file that takes its name `path` only when the block ends without an error.

    It is written beside, flushed to the disk, then renamed. A link to a file at `path` is replaced,
    never followed. When the block or the disk fails, nothing is left behind and `path` stays as it
    was. What a killed process left of an earlier try is removed. Raises OSError; InputError for a
    folder, pipe or device at `path`, or a link to one: root could replace /dev/null.
    """
    path = Path(path)
    _check_replaceable(path)
    part = path.with_name(f"{path.name}.{_host()}-{os.getpid()}.part")
    remove_stale(path.parent, path.name)
    with suppress(FileNotFoundError):
        os.unlink(part)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(part, flags, 0o666), "w+b") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise


def _check_replaceable(path: Path) -> None:
    for look in (os.lstat, os.stat):  # the link, then what it leads to
        with suppress(OSError):
            mode = look(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise InputError(f"{path}: not a plain file, so it is not replaced")


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Writes `content` (text as UTF-8, its newlines as they are) by `whole_file`. Raises OSError."""
    with whole_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)


def open_to_append(path: str | os.PathLike[str]) -> int:
    """A descriptor that appends to the plain file `path`, made when needed. Closed by the caller.

    InputError for a link, folder, pipe or device in its place: what lies behind is not ours.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise InputError(f"{path}: not a plain file, so it is not written to") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: not a plain file, so it is not written to")
    return descriptor


def _host() -> str:
    import hashlib  # these two take as long as the rest of the module
    import socket

    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def remove_stale(folder: Path, name: str = "") -> None:
    """Removes parts of files in `folder` (of the file `name` alone, if given) that processes of
    this machine left which are no longer alive."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            found = entry.name.startswith(name) and _PART.search(entry.name)
            if not found or (name and found.start() != len(name)):
                continue
            if found["host"] == _host() and not _alive(int(found["pid"])):
                os.unlink(entry.path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


# ---- reading ----------------------------------------------------------------------------------


def read_bytes(path: str | os.PathLike[str], most: int = 16 * MIB) -> bytes:
    """The content of a plain file of at most `most` bytes.

    InputError for a pipe, device or larger file; OSError where it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not wait
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: not a plain file")
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path}: larger than {most:,} bytes, which no such file is")
    return content


def read_text(path: str | os.PathLike[str], most: int = 16 * MIB) -> str:
    """The same as UTF-8 text; InputError where it is not."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None


def parse_json(text: str, where: str | os.PathLike[str], constants: bool = False) -> Any:
    """The value of a JSON text; InputError for anything else, for NaN and infinity (but with
    `constants`), for a key twice in one object and for values nested deeper than 50."""
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

    Depth, and the size after aliases are expanded, are bounded before anything is built.
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
    """Parsed once: a recipe or an artifact is asked for again and again."""
    return parse_yaml(text, where)


def _yaml_loader() -> Any:
    """libyaml's safe loader where PyYAML was built with it, else the one in Python: as safe, slower."""
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
            raise InputError(
                f"{where}: not YAML that is read here (more than {MAX_NODES:,} values)"
            )


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
        raise ValueError(f"{twice!r} stands there twice")
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

    Weights are stored as they are: only a bomb is larger inside. Anything else passes.
    """
    import zipfile

    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PK\x03\x04":
                return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return  # whoever reads it says what is wrong
    if unpacked > ratio * os.path.getsize(path) + MIB:
        raise InputError(f"{path}: refused: it would unpack to {unpacked:,} bytes")


# ---- numbers and text -------------------------------------------------------------------------


def number(value: Any, least: float, most: float, whole: bool = False) -> int | float:
    """`value` (a number, or the text of one) as a number from `least` to `most`.

    A whole number may be written `1e6`. ValueError says in words what was wanted.
    """
    kind = "a whole number" if whole else "a number"
    said = f"wanted {kind} from {least:,} to {most:,}, got {plain(str(value))[:40]!r}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(said)
    try:
        found = float(value)
        exact = (
            int(value)
            if isinstance(value, str) and value.strip().lstrip("+-").isdecimal()
            else value
        )
    except (ValueError, OverflowError):
        raise ValueError(said) from None
    if not math.isfinite(found) or not least <= found <= most or (whole and found != int(found)):
        raise ValueError(said)
    return (exact if isinstance(exact, int) else int(found)) if whole else found


def render(
    package: str,
    name: str,
    filters: dict[str, Callable[..., str]] | None = None,
    folder: str = "templates",
    **values: Any,
) -> str:
    """The text of the Jinja2 template `name` in a package's folder; a value it lacks is an error."""
    environment = _templates(package, folder)
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)


@cache
def _templates(package: str, folder: str) -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def plain(text: str) -> str:
    """`text` with control characters, direction marks and lone surrogates written out as `\\x1b`:
    a name from a file or a server never drives the terminal. Newlines and tabs stay.

    >>> print(plain("a\\x1b[31mb"))
    a\\x1b[31mb
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else _written_out(c)
        for c in text
    )


def shown(text: object) -> str:
    """A text for a message: what an address in it holds of user and password is left out, control
    characters are written out.

    >>> shown("http://ann:secret@example.org/x")
    'http://example.org/x'
    """
    return plain(re.sub(r"(?<=://)[^/\s]*@", "", str(text)))


def _written_out(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
