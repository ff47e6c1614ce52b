"""Public files over HTTP: nothing without a known hash, resumed where an earlier try ended, mirrors in order."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from fastscale.data.images import Say
from fastscale.data.progress import Progress
from fastscale.errors import InputError

TIMEOUT = 30  # seconds without a byte
TRIES = 3  # connections to one mirror; each goes on where the last one ended
MB = 1e6


def file_hash(path: Path, kind: str = "sha256") -> str:
    with open(path, "rb") as f:
        seen = hashlib.new(kind)
        while block := f.read(1 << 20):
            seen.update(block)
        return seen.hexdigest()


class TooLong(Exception):
    """More came than the file has bytes."""


def _get(url: str, part: Path, say: Say, size: int | None = None) -> None:
    """Append to `part` what is missing of it; from the start where the server can't resume."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "fastscale", **({"Range": f"bytes={have}-"} if have else {})}
    )
    try:
        reply = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as e:
        if e.code == 416 and have:  # nothing is missing: the hash decides
            return
        raise
    with reply, open(part, "ab" if have and reply.status == 206 else "wb") as out:
        length = reply.headers.get("Content-Length")
        total = out.tell() + int(length) if length else None
        progress = Progress(f"fetching {url.rsplit('/', 1)[-1]}", total, "MB", say, scale=MB)
        progress.step(out.tell())
        while block := reply.read(1 << 18):
            out.write(block)
            if size is not None and out.tell() > size:
                raise TooLong
            progress.step(len(block))
        if total and out.tell() < total:
            raise http.client.IncompleteRead(b"", total - out.tell())


def download(
    urls: Sequence[str],
    path: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    say: Say = print,
    unhashed: bool = False,
) -> Path:
    """`path` holding exactly the file with these hashes: kept if it is there, else fetched from the first url that gives it.

    `sha256`: all of it, or the first digits where no more is published. `unhashed`: for a file whose hash nobody published; the first
    download is believed, and it is for the caller to keep its hash.
    The partial file (`path`.part) of an interrupted download is gone on with. A file with a wrong hash is deleted, and so is one that
    turns out longer than `size` bytes, where that is known: no server fills the disk.
    InputError when no url served the right one.
    """
    wanted = {k: v for k, v in (("sha256", sha256), ("md5", md5)) if v}
    if not wanted and not unhashed:
        raise ValueError("a download needs a known hash")
    if path.exists() and all(file_hash(path, k).startswith(v) for k, v in wanted.items()):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part, problems = path.with_name(path.name + ".part"), []
    for url in urls:
        tries = TRIES
        while tries:
            tries -= 1
            resumed = part.exists()
            try:
                say(f"{'going on with' if resumed else 'fetching'} {url}")
                _get(url, part, say, size)
            except urllib.error.HTTPError as e:
                problems.append(f"{url}: {e.code} {e.reason}")
                break
            except TooLong:
                part.unlink()
                if resumed and tries:
                    continue
                problems.append(f"{url}: wrong file, deleted (more than {size} bytes)")
                break
            except (
                http.client.HTTPException,
                ConnectionError,
                TimeoutError,
                urllib.error.URLError,
            ) as e:
                problem = f"{url}: {getattr(e, 'reason', None) or e or type(e).__name__}"
                if not tries:
                    problems.append(problem)
                continue
            except OSError as e:
                raise InputError(f"cannot write {part}: {e.strerror or e}") from e
            wrong = [
                f"{k} is {got}, wanted {v}"
                for k, v in wanted.items()
                for got in [file_hash(part, k)]
                if not got.startswith(v)
            ]
            if not wrong:
                os.replace(part, path)
                return path
            part.unlink()
            if resumed and tries:
                continue  # the old part may have been at fault: once more from the start
            problems.append(f"{url}: wrong file, deleted ({wrong[0]})")
            break
    raise InputError(
        f"could not fetch {path.name}: {'; '.join(problems)}. Put a copy at {path}, or name one as the source"
    )
