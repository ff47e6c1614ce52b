"""Completes the descriptions of stores that an earlier version wrote.

Nothing is encoded again if the stored images prove to be those that would be written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastscale.data.beton import JPG, RAW, Index, content_sha256
from fastscale.data.encode import SMALL, Settings, encode
from fastscale.data.images import ImageSet, Say, upright
from fastscale.data.info import COUNTS, INFO_VERSION, BetonInfo
from fastscale.data.progress import Progress

TOGETHER = 256  # images compared at a time


@dataclass(frozen=True)
class Proven:
    """The hash of every image, and counts of how they are stored."""

    digests: list[str]
    counts: dict[str, int]


def proven(
    images: ImageSet, path: Path, index: Index, settings: Settings, title: str, say: Say
) -> Proven | None:
    """Compare every stored image with what would be written; None if one differs.

    JPEG files kept byte for byte are compared with their source; others are encoded in memory.
    """
    if len(index.rows) != len(images):
        return None
    data = np.memmap(path, dtype=np.uint8, mode="r")
    progress = Progress(f"{title}: comparing", len(images), say, unit=" images")

    def one(i: int) -> tuple[str, str, bool] | None:
        row = index.rows["image"][i]
        start = int(row["pointer"])
        stored = data[start : start + int(index.sizes[i])].tobytes()
        try:
            source = images.read(i)
            if row["mode"] == JPG and stored == source and upright(source):
                return hashlib.sha256(source).hexdigest(), "kept", False
        except (OSError, ValueError):
            return None
        new = encode(images, i, settings)
        shape = (int(row["mode"]), int(row["width"]), int(row["height"]))
        if new.problem or new.data != stored or (new.mode, new.width, new.height) != shape:
            return None
        return new.digest, new.how, new.shrunk

    digests: list[str] = []
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(8) as pool:  # reading, hashing and decoding release the GIL
        for found in (f for part in _parts(len(images)) for f in pool.map(one, part)):
            if found is None:
                return None
            progress.update()
            digests.append(found[0])
            counts[found[1]] += 1
            counts["shrunk"] += found[2]
    return Proven(digests, {k: counts[k] for k in COUNTS})


def _parts(count: int) -> Iterator[range]:
    for start in range(0, count, TOGETHER):
        yield range(start, min(start + TOGETHER, count))


def from_the_store(path: Path, old: BetonInfo, index: Index) -> BetonInfo:
    """The description in today's version, from the store alone.

    How the images were stored is unknown, except for small ones of a set without a maximum
    resolution: those are the source's pixels.
    """
    image = index.rows["image"]
    small = (image["mode"] == RAW) & (np.maximum(image["width"], image["height"]) <= SMALL)
    own = int(small.sum()) if old.settings["max_resolution"] is None else 0
    counts = {**dict.fromkeys(COUNTS, 0), "raw": own, "unproven": len(image) - own}
    return replace(
        old,
        version=INFO_VERSION,
        labels_digest=index.labels_digest,
        counts=counts,
        content_sha256=content_sha256(path, index),
        modified_ns=path.stat().st_mtime_ns,
    )
