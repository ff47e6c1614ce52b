"""A list of the images that a store was written from.

With it a message can count the images added, removed, changed or relabelled since. It is kept in
the folder of the source; nothing else depends on it.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastscale.common import MIB, whole_file
from fastscale.data.images import ImageSet

MOST = 1 << 30  # bytes of an unpacked listing; ImageNet's takes 150 MB
HASHED = 2_000  # images hashed at most, of those whose modification time alone has changed


@dataclass(frozen=True)
class Listed:
    """One image of a listing. `digest` is empty for a broken image."""

    file: str
    size: int
    time: int
    label: str
    digest: str


def listing_path(home: Path, split: str) -> Path:
    """The listing of a split in the folder of its source."""
    return home / f"listing-{split}.gz"


def keep_listing(path: Path, stamp: str, images: ImageSet, digests: Sequence[str]) -> None:
    """Write the listing. Without write access, later messages lack the counts."""
    states = images.states()
    if states is None:
        return
    rows = zip(states, images.labels, digests, strict=True)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            whole_file(path) as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
            io.BufferedWriter(packed, MIB) as file,  # packing line by line is slow
        ):
            file.write(stamp.encode())
            for (name, size, time), label, digest in rows:
                text = f"\0{name}\0{size}\0{time}\0{images.classes[int(label)]}\0{digest}"
                file.write(text.encode("utf-8", "surrogateescape"))


def read_listing(path: Path, stamp: str) -> list[Listed] | None:
    """The listing of the images with this stamp; None if it is missing or damaged."""
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MOST)
        found, *rest = data.decode("utf-8", "surrogateescape").split("\0")
        if found != stamp or len(rest) % 5:
            return None
        rows = zip(*(rest[k::5] for k in range(5)), strict=True)
        return [Listed(f, int(size), int(time), c, d) for f, size, time, c, d in rows]
    except (OSError, EOFError, zlib.error, ValueError):
        return None


def differences(
    before: Sequence[Listed], images: ImageSet, digest: Callable[[int], str]
) -> dict[str, int]:
    """Counts of images added, removed, changed, relabelled or renamed, without zeros.

    Images whose modification time alone has changed are hashed with `digest(i)`, up to HASHED of
    them; the others count as changed.
    """
    states = images.states() or []
    now = {state[0]: (k, state) for k, state in enumerate(states)}
    labels = [images.classes[int(label)] for label in images.labels]
    found = dict.fromkeys(("added", "removed", "changed", "relabelled", "renamed"), 0)
    gone: dict[tuple[int, int], list[Listed]] = {}
    hashed = 0
    for old in before:
        if old.file not in now:
            gone.setdefault((old.size, old.time), []).append(old)
            continue
        k, (_, size, time) = now.pop(old.file)
        if size == old.size and time != old.time and hashed < HASHED:
            hashed += 1
            found["changed"] += digest(k) != old.digest
        elif (size, time) != (old.size, old.time):
            found["changed"] += 1
        if labels[k] != old.label:
            found["relabelled"] += 1
    for file, (k, (_, size, time)) in now.items():
        moved = gone.get((size, time))
        if not moved:
            found["added"] += 1
            continue
        name = os.path.basename(file)
        same = next((m for m in moved if os.path.basename(m.file) == name), moved[-1])
        moved.remove(same)
        found["renamed" if same.label == labels[k] else "relabelled"] += 1
    found["removed"] = sum(map(len, gone.values()))
    return {name: count for name, count in found.items() if count}


def in_words(found: dict[str, int]) -> str:
    """`3 images added, 1 removed`"""
    first, *more = [f"{count:,} {name}" for name, count in found.items()]
    count, _, name = first.partition(" ")
    return ", ".join([f"{count} image{'' if count == '1' else 's'} {name}", *more])
