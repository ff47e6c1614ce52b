"""Archives (tar, tar.gz, tar.xz, tar.bz2, zip) unpacked safely: only plain files, only inside the target, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from fastscale.data.images import Say
from fastscale.data.progress import Progress
from fastscale.errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """(name, opened file) of every member; None for a folder. A link or device is refused: no image set needs one."""
    import zlib
    from lzma import LZMAError

    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as z:
                for info in z.infolist():
                    if info.is_dir():
                        yield info.filename, None
                        continue
                    if (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                        raise InputError(
                            f"{path}: {info.filename} is a link or device; only plain files are unpacked"
                        )
                    with z.open(info) as f:
                        yield info.filename, f
        else:
            with tarfile.open(path, "r:*") as t:
                for member in t:
                    if not (member.isreg() or member.isdir()):
                        raise InputError(
                            f"{path}: {member.name} is a link or device; only plain files are unpacked"
                        )
                    yield member.name, t.extractfile(member)
    except (zlib.error, LZMAError) as e:
        raise tarfile.ReadError(str(e)) from e


def _inside(path: Path, name: str) -> PurePosixPath:
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or PureWindowsPath(name).drive or "\0" in name:
        raise InputError(
            f"{path}: member {name!r} points outside of the archive; it is not unpacked"
        )
    return pure


def unpack(path: Path, target: Path, say: Say = print) -> Path:
    """Unpack the archive `path` as the new folder `target`: to a temporary name, then renamed. A failure leaves nothing."""
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # what a killed run left
    part.mkdir(parents=True)
    progress = Progress(f"unpacking {path.name}", None, "files", say)
    try:
        for name, file in _members(path):
            to = part / _inside(path, name)
            if file is None:
                to.mkdir(parents=True, exist_ok=True)
                continue
            to.parent.mkdir(parents=True, exist_ok=True)
            with open(to, "wb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
            progress.step(1)
        os.rename(part, target)
    except InputError:
        raise
    except _DAMAGED as e:
        if (
            isinstance(e, OSError) and e.errno is not None
        ):  # the system's: a full disk, say; a damaged archive's has no number
            raise InputError(f"cannot unpack {path} into {target.parent}: {e.strerror}") from e
        raise InputError(f"{path}: not a whole {', '.join(SUFFIXES)} archive ({e})") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    say(f"unpacked {path.name}: {progress.done} files in {progress.took()}")
    return target
