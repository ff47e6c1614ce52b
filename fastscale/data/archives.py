"""Safe unpacking of archives: tar, tar.gz, tar.xz, tar.bz2 and zip.

Only plain files inside the target are unpacked, all of them or none. Images hardly compress, so an
archive that unpacks to more than PLAIN bytes and RATIO times its own size is refused. So is one
with more than MOST_FILES files, with paths deeper than DEPTH folders, with the same file twice, or
too large for the disk. System files of macOS and Windows are skipped.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from fastscale.data.images import Say
from fastscale.data.progress import Progress
from fastscale.data.scan import is_system, one_line
from fastscale.errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
# any archive may unpack to PLAIN bytes, or to RATIO times its own size
PLAIN, RATIO = 100_000_000, 200
MOST_FILES = 20_000_000  # ImageNet-21k has 14 million
DEPTH, NAME = 16, 255  # folders in a path; bytes in a name, the limit of most file systems
BLOCK = 1 << 20
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    LZMAError,
)


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yields (name, open file) for every member; the file is None for a folder.

    InputError for a link or device: no image set needs one.
    """
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as z:
                for info in z.infolist():
                    if info.is_dir():
                        yield info.filename, None
                        continue
                    if (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                        raise InputError(_not_plain(path, info.filename))
                    with z.open(info) as f:
                        yield info.filename, f
        else:
            with tarfile.open(path, "r:*") as t:
                for member in t:
                    if not (member.isreg() or member.isdir()):
                        raise InputError(_not_plain(path, member.name))
                    yield member.name, t.extractfile(member)
    except (zlib.error, LZMAError) as e:
        raise tarfile.ReadError(str(e)) from e


def _not_plain(path: Path, name: str) -> str:
    return f"{path}: {one_line(name)} is a link or device; only plain files are unpacked"


def _inside(path: Path, name: str) -> PurePosixPath:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or PureWindowsPath(name).drive or "\0" in name:
        raise InputError(
            f"{path}: member {one_line(name)!r} points outside the archive; not unpacked"
        )
    long = any(len(p.encode("utf-8", "surrogateescape")) > NAME for p in pure.parts)
    if long or len(pure.parts) > DEPTH:
        raise InputError(
            f"{path}: member {one_line(name)[:80]!r}... has a name longer than {NAME} bytes or "
            f"is more than {DEPTH} folders deep; not unpacked"
        )
    return pure


class _Budget:
    """How much may still be unpacked from the archive `path` into `folder`."""

    def __init__(self, path: Path, folder: Path):
        self.path = path
        packed = path.stat().st_size
        self.bytes = max(PLAIN, RATIO * packed)
        self.reason = f"unpacks to more than {RATIO} times its {packed:,} bytes"
        free = shutil.disk_usage(folder).free
        if free < self.bytes:
            self.bytes, self.reason = free, f"needs more than the {free / 1e9:.1f} GB free there"
        self.files = 0

    def file(self) -> None:
        self.files += 1
        if self.files > MOST_FILES:
            raise InputError(f"{self.path}: contains more than {MOST_FILES:,} files; not unpacked")

    def copy(self, file: IO[bytes], out: IO[bytes] | None) -> None:
        """Copy all of `file` to `out`. With `out` None the bytes are only counted."""
        while block := file.read(BLOCK):
            self.bytes -= len(block)
            if self.bytes < 0:
                raise InputError(f"{self.path}: {self.reason}; not unpacked")
            if out is not None:
                out.write(block)


def unpack(path: Path, target: Path, say: Say = print) -> Path:
    """Unpack the archive `path` as the new folder `target`.

    It is unpacked under a temporary name and then renamed, so a failure leaves nothing behind.
    InputError for an archive that is damaged, hostile or too large.
    """
    part = target.with_name(target.name + ".part")
    if part.is_symlink() or part.is_file():
        part.unlink()  # the link only: what it points to is not ours
    shutil.rmtree(part, ignore_errors=True)  # left by a killed run
    progress = Progress(f"unpacking {path.name}", None, say, unit=" files")
    try:
        part.mkdir(parents=True)
        budget = _Budget(path, part)
        for name, file in _members(path):
            pure = _inside(path, name)
            budget.file()
            if any(is_system(p) for p in pure.parts):
                if file is not None:
                    budget.copy(file, None)
                continue
            to = part / pure
            if file is None:
                to.mkdir(parents=True, exist_ok=True)
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(to, "xb") as out:
                    budget.copy(file, out)
            except FileExistsError:
                raise InputError(
                    f"{path}: contains {one_line(name)!r} twice; not unpacked"
                ) from None
            progress.update()
        os.rename(part, target)
    except InputError:
        raise
    except _DAMAGED as e:
        if isinstance(e, OSError) and e.errno is not None:
            # from the system (a full disk, for example); errors about the archive have no number
            raise InputError(f"cannot unpack {path} into {target.parent}: {e.strerror}") from e
        reason = one_line(" ".join(str(e).split()))[:200]
        # tarfile lists the error of each of its readers if the file is no archive at all
        why = "" if "could not be opened successfully" in reason else f" ({reason})"
        raise InputError(f"{path}: not a complete {', '.join(SUFFIXES)} archive{why}") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    say(f"unpacked {path.name}: {progress.n} files in {progress.took()}")
    return target
