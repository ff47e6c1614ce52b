"""Finds the file of a released name or address: in checkpoints/, the cache or a mirror."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fastscale.common import shown
from fastscale.data.download import download
from fastscale.data.paths import offline
from fastscale.data.source_kinds import lock
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.release import places
from fastscale.release.manifest import SUFFIX, Entry, is_name, is_url

LARGEST = 8 << 30  # bytes of a file whose size is not in a manifest


def fetch(entry: Entry, folder: Path | None = None) -> Path:
    """The entry's file, in `folder` (default: the released checkpoints) or downloaded.

    A download is hashed before it gets its name, and every file again when it is read. InputError
    for a missing file, for a download with another hash, which is deleted, and for one that
    FASTSCALE_OFFLINE forbids.
    """
    local = (folder or home().checkpoints) / entry.file
    if local.exists() or local.is_symlink():
        return plain(local, entry)
    return from_urls(list(entry.urls), entry.file, entry.sha256, entry.bytes)


def plain(path: Path, entry: Entry) -> Path:
    """`path`; InputError unless it is a plain file, not a link, of the right length."""
    if path.is_symlink() or not path.is_file():
        raise InputError(
            f"{path}: a released checkpoint is a plain file, not a link or a folder; "
            "restore it or remove it"
        )
    if (size := path.stat().st_size) != entry.bytes:
        raise InputError(
            f"{path}: {size} bytes, the manifest says {entry.bytes}; restore it or remove it"
        )
    return path


def from_urls(urls: list[str], file: str, sha256: str, size: int | None = None) -> Path:
    """The cached file of that name and hash, or a download from the first address that serves it.

    Interrupted downloads resume.
    """
    target = places.cache() / file
    if target.is_symlink():
        raise InputError(f"{target}: a link in the cache is not followed; remove it")
    if target.is_file() and offline():
        return target  # its hash is checked when it is read
    if not urls and not target.is_file():
        raise InputError(
            f"{file} is not here and its manifest has no address; copy it to {target} "
            "(from the repository's checkpoints/)"
        )
    with lock(target.with_name(f".{file}.lock"), places.say):
        return download(urls, target, sha256=sha256, size=size, say=places.say)


def fetch_url(url: str) -> Path:
    """The file at `url#sha256=<64 hex digits>`, or at an address with a released file's name."""
    address, _, fragment = url.partition("#")
    named = shown(url)
    if not is_url(address):
        raise InputError(f"{named}: not an http(s) address")
    file = unquote(urlsplit(address).path.rsplit("/", 1)[-1])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.=+_-]{0,200}\.safetensors", file) or ".." in file:
        raise InputError(f"{named}: names no {SUFFIX} file")
    known = next((e for e in places.released() if e.file == file), None)
    wanted = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment)
    if fragment and not wanted:
        raise InputError(f"{named}: after # goes sha256=<64 hex digits>")
    if wanted and known and wanted[1] != known.sha256:
        raise InputError(f"{named}: the manifest says that {file} has sha256 {known.sha256}")
    if not wanted and not known:
        raise InputError(
            f"{named}: nothing is downloaded without a known hash; append #sha256=<64 hex digits>"
        )
    sha256 = wanted[1] if wanted else known.sha256  # type: ignore[union-attr]  # one is not None
    stem = file.removesuffix(SUFFIX)
    if not (is_name(stem) and stem.endswith(sha256[:8])):
        file = f"{stem}-{sha256[:8]}{SUFFIX}"  # two files may both be called model.safetensors
    return from_urls([address], file, sha256, known.bytes if known else LARGEST)
