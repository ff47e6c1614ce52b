"""Downloads of public files over HTTP.

Every file has a known hash. Interrupted downloads resume, mirrors are tried in order, and slow or
silent servers are abandoned. With FASTSCALE_OFFLINE set, nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fastscale.common import open_to_append, plain, shown
from fastscale.data.images import Say
from fastscale.data.paths import offline
from fastscale.data.progress import Progress
from fastscale.errors import InputError

TIMEOUT = 30  # seconds without a byte
TRIES = 3  # connections to one mirror; each resumes where the last one ended
BACK_OFF = (1.0, 4.0)  # seconds before the second and third try
BUSY = (408, 425, 429, 500, 502, 503, 504)  # status codes worth another try
FLOOR, FLOOR_TIME = 1 << 16, 60.0  # a server is abandoned if fewer bytes come in so many seconds
BLOCK = 1 << 18
# no server answers: try the next mirror at once
NOBODY = (FileNotFoundError, ConnectionRefusedError, socket.gaierror, TimeoutError)


def file_hash(path: Path, kind: str = "sha256") -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, kind).hexdigest()


class TooLong(Exception):
    """The server sent more bytes than the file has."""


class TooSlow(Exception):
    """The server sent fewer than FLOOR bytes in FLOOR_TIME seconds."""


def _request(url: str, have: int) -> urllib.request.Request:
    """`user:password@` of a url becomes a header: urllib would read it as a port."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    headers = {"User-Agent": "fastscale", **({"Range": f"bytes={have}-"} if have else {})}
    if login:
        import base64
        from urllib.parse import unquote

        word = base64.b64encode(unquote(login).encode()).decode()
        headers["Authorization"] = f"Basic {word}"
        url = urlunsplit(parts._replace(netloc=host))
    return urllib.request.Request(url, headers=headers)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as urllib does, but sends a password only to the original server."""

    def redirect_request(self, req: Any, *reply: Any) -> Any:
        following = super().redirect_request(req, *reply)
        if following is not None and (following.type, following.host) != (req.type, req.host):
            following.remove_header("Authorization")
        return following


def _length(header: str | None) -> int | None:
    """Content-Length as a number, or None."""
    return int(header) if header and re.fullmatch(r"\d{1,18}", header.strip()) else None


def _answer(request: urllib.request.Request) -> Any:
    """The reply with its headers. TimeoutError if they take too long altogether.

    urllib's timeout alone would allow TIMEOUT seconds for each of their bytes.
    """
    done: queue.Queue[Any] = queue.Queue()
    opener = urllib.request.build_opener(_Redirects)

    def ask() -> None:
        try:
            done.put(opener.open(request, timeout=TIMEOUT))
        except BaseException as error:
            done.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = done.get(timeout=TIMEOUT + FLOOR_TIME)
    except queue.Empty:
        raise TimeoutError("no answer in time") from None
    if isinstance(found, BaseException):
        raise found
    return found


def _read(reply: Any) -> bytes:
    """The bytes received so far, at most a block, so that a later timeout loses none of them."""
    try:
        return reply.read1(BLOCK)
    except (http.client.HTTPException, ConnectionError, TimeoutError):
        raise
    except (OSError, ValueError) as error:  # from the connection, not from the disk
        raise ConnectionError(str(error) or type(error).__name__) from error


def _get(url: str, part: Path, say: Say, size: int | None = None) -> None:
    """Append the missing bytes to `part`, or start over if the server cannot resume."""
    have = part.stat().st_size if part.exists() else 0
    try:
        reply = _answer(_request(url, have))
    except urllib.error.HTTPError as e:
        if e.code == 416 and have:  # nothing is missing: the hash decides
            return
        raise
    with reply, os.fdopen(open_to_append(part), "ab") as out:
        if not (have and reply.status == 206):
            out.truncate(0)
            have = 0
        at, length = have, _length(reply.headers.get("Content-Length"))
        total = at + length if length is not None else None
        name = plain(url.rsplit("/", 1)[-1])
        progress = Progress(f"fetching {name}", total, say, initial=at, unit="B", unit_scale=True)
        since, before = time.monotonic(), at
        while block := _read(reply):
            out.write(block)
            at += len(block)
            if size is not None and at > size:
                raise TooLong
            progress.update(len(block))
            if (now := time.monotonic()) - since > FLOOR_TIME:
                if at - before < FLOOR:
                    raise TooSlow
                since, before = now, at
        if total and at < total:
            raise http.client.IncompleteRead(b"", total - at)


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
    """Download a file from the first url that serves it, or keep `path` if its hashes match.

    `sha256`: the hash, or its first digits if no more are published. `unhashed`: the file has no
    published hash; the first download is trusted and the caller keeps its hash. Interrupted
    downloads resume from `path`.part. A file with a wrong hash or more than `size` bytes is
    deleted, so no server can fill the disk. A server that is busy (503, for example) or breaks off
    is tried up to TRIES times. InputError if no url served the right file, or if FASTSCALE_OFFLINE
    is set.
    """
    wanted = {k: v for k, v in (("sha256", sha256), ("md5", md5)) if v}
    if not wanted and not unhashed:
        raise ValueError("a download needs a known hash")
    if path.exists() and all(file_hash(path, k).startswith(v) for k, v in wanted.items()):
        return path
    remote = [u for u in urls if not u.startswith("file:")]
    if offline() and remote:
        raise InputError(
            f"{path.name} is not in {path.parent}, and FASTSCALE_OFFLINE is set: "
            f"fetch {shown(remote[0])} elsewhere and put it there"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part, problems = path.with_name(path.name + ".part"), []
    if part.is_symlink():
        part.unlink()  # the link only: what it points to is not ours
    for url in urls:
        problem = _from(url, part, wanted, size, say)
        if problem is None:
            os.replace(part, path)
            return path
        problems.append(f"{shown(url)}: {problem}")
    raise InputError(
        f"could not fetch {path.name}: {'; '.join(problems)}. "
        f"Put a copy at {path}, or name one as the source"
    )


def _from(url: str, part: Path, wanted: dict[str, str], size: int | None, say: Say) -> str | None:
    """Fetch `part` from one url. Returns None, or what went wrong."""
    problem = ""
    for number in range(TRIES):
        resumed = part.exists() and part.stat().st_size > 0
        if number and problem:
            time.sleep(BACK_OFF[min(number, len(BACK_OFF)) - 1])
        try:
            say(f"{'resuming' if resumed else 'fetching'} {shown(url)}")
            _get(url, part, say, size)
            problem = _wrong(part, wanted)
        except InputError:
            raise  # something other than a plain file is at `part`
        except TooSlow:
            return f"fewer than {FLOOR:,} bytes came in {FLOOR_TIME:.0f} s"
        except TooLong:
            problem = f"wrong file, deleted (more than {size} bytes)"
        except urllib.error.HTTPError as e:
            problem = _words(f"{e.code} {e.reason}")
            if e.code not in BUSY:
                return problem
            continue
        except urllib.error.URLError as e:
            problem = _words(e.reason)
            if isinstance(e.reason, NOBODY):
                return problem
            continue
        except (http.client.HTTPException, ConnectionError, TimeoutError) as e:
            problem = _words(str(e) or type(e).__name__)
            continue
        except OSError as e:
            raise InputError(f"cannot write {part}: {e.strerror or e}") from e
        except ValueError as e:  # an invalid url, header or status line
            return _words(e)
        if not problem:
            return None
        part.unlink(missing_ok=True)
        if not resumed:
            return problem
        problem = ""  # the old part may have been wrong: start over at once
    return problem or "wrong file, deleted"


def _wrong(part: Path, wanted: dict[str, str]) -> str:
    for kind, value in wanted.items():
        got = file_hash(part, kind) if part.exists() else "of nothing"
        if not got.startswith(value):
            return f"wrong file, deleted ({kind} is {got}, expected {value})"
    return ""


def _words(error: object) -> str:
    return " ".join(shown(error).split())[:300]
