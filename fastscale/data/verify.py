"""`fastscale data verify`: compares a whole store with its description and its source's hashes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fastscale.common import pluralize, write_whole
from fastscale.data.beton import damaged, info_path, read_both
from fastscale.data.folder import SPLITS
from fastscale.data.identity import labels_digest
from fastscale.data.images import Say, digest_of_list
from fastscale.data.info import BetonInfo
from fastscale.data.listing import differences, in_words, listing_path, read_listing
from fastscale.data.source_kinds import Source, lock
from fastscale.data.sources import source
from fastscale.data.stale import changed
from fastscale.errors import InputError


def verify(
    spec: str,
    folder: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    say: Say = print,
) -> int:
    """Print a line for each damaged or stale split, with the command that fixes it.

    Returns how many of the two splits have problems. A damaged file is marked in its description,
    so that nothing trains on it and the next `data write` rewrites it. InputError if nothing is
    written.
    """
    from_spec = source(spec, data_dir)
    place = Path(folder).expanduser().absolute() if folder is not None else from_spec.betons
    paths = {split: place / f"{split}.beton" for split in SPLITS}
    if not any(path.exists() for path in paths.values()):
        raise InputError(f"{place}: nothing is written there; write it with: {from_spec.command}")
    problems = 0
    for split, path in paths.items():
        found = list(_problems(from_spec, path, say))
        for problem in found:
            say(f"{from_spec.name} {split}: {problem}")
        problems += bool(found)
    return problems


def _problems(from_spec: Source, path: Path, say: Say) -> Iterator[str]:
    try:
        info, index = read_both(path, from_spec.command)
    except InputError as error:
        yield str(error)
        return
    if damaged(path, info, index, thorough=True):
        with suppress(OSError), lock(path.parent / ".write.lock", say):
            write_whole(info_path(path), replace(info, modified_ns=0).text())
        yield (
            f"{path}: damaged: its image data differs from what was written; "
            f"rewrite it with: {info.command}"
        )
    elif problem := _against_source(from_spec, info):
        yield f"{path}: stale: {problem}; update it with: {info.command}"
    else:
        say(f"{from_spec.name} {info.split}: {path}: intact, {_words(from_spec, info)}")


def _words(from_spec: Source, info: BetonInfo) -> str:
    parts = [f"{info.count:,} images as written"]
    if info.stored:
        form = ", ".join(f"{k} {v}" for k, v in info.stored.items() if v is not None)
        new = [
            f"{info.counts[k]:,} {k}" for k in ("encoded", "shrunk", "unproven") if info.counts[k]
        ]
        parts.append(f"pixels changed by storing ({form}: {', '.join(new)})")
    else:
        parts.append("pixels as in the source")
    if from_spec.images_at is None or not from_spec.images_at.exists():
        parts.append("not compared: the source is not here")
    elif info.skipped:
        parts.append(f"{pluralize(info.skipped, 'broken image')} left out")
    return "; ".join(parts)


def _against_source(from_spec: Source, info: BetonInfo) -> str | None:
    """How the store differs from the source, with every image read.

    None if it does not, or if the source is gone.
    """
    if from_spec.images_at is None or not from_spec.images_at.exists():
        return None
    try:
        images = from_spec.split(info.split).limited(info.settings["limit"])
    except InputError:
        return changed(from_spec, info)
    digests = images.digests()
    same = (
        images.classes == info.classes
        and labels_digest(images.labels) == info.labels_digest
        and digest_of_list(digests) == info.list_digest
    )
    if same or (info.skipped and changed(from_spec, info) is None):
        return None
    before = read_listing(listing_path(from_spec.home, info.split), info.stamp)
    if before is None:
        return changed(from_spec, info) or "its images differ from those it was written from"
    kept = {old.file: old.digest for old in before}
    found = differences(before, images, lambda i: digests[i])
    files = [state[0] for state in images.states() or []]
    altered = sum(kept.get(f, d) != d for f, d in zip(files, digests, strict=True))
    if altered:
        found["changed"] = altered
    return in_words(found) if found else "the classes differ"
