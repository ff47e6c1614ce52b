"""Writes one split to its file, or keeps the file if it would be written the same."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastscale.common import pluralize, whole_file, write_whole
from fastscale.data.beton import Index, damaged, info_path, read_both
from fastscale.data.beton_file import BetonFile
from fastscale.data.encode import Settings, encode_all
from fastscale.data.folder import FolderSet, folders_stamp
from fastscale.data.identity import labels_digest
from fastscale.data.images import ImageSet, Say, digest_of_list
from fastscale.data.info import COUNTS, INFO_VERSION, BetonInfo
from fastscale.data.listing import keep_listing, listing_path
from fastscale.data.progress import Progress
from fastscale.data.source_kinds import Source
from fastscale.data.upgrade import from_the_store, proven
from fastscale.errors import InputError

MOST_FOLDERS = 50_000  # with more folders, every file is checked instead


class SplitWriter:
    """Writes one split. `broken` lists its broken images with the reason."""

    def __init__(
        self,
        source: Source,
        split: str,
        images: ImageSet,
        folder: Path,
        settings: Settings,
        limit: int | None,
        out: str | os.PathLike[str] | None,
        say: Say,
    ):
        self.source, self.split, self.images = source, split, images
        self.settings, self.say = settings, say
        self.path = folder / f"{split}.beton"
        self.stored_as = {
            "max_resolution": settings.max_resolution,
            "jpeg_quality": settings.jpeg_quality,
            "raw_share": settings.raw_share,
            "limit": limit,
        }
        self.command = source.command_for(self.stored_as, out)
        self.title = f"{source.name} {split}"
        self.broken: list[str] = []

    def kept(self) -> BetonInfo | None:
        """The description of the existing file, if it would be written the same; else None."""
        with suppress(InputError):
            info, index = read_both(self.path, old=True)
            if info.settings != self.stored_as or info.classes != self.images.classes:
                return None
            if info.version < INFO_VERSION:
                return self._updated(info, index)
            stamp = self.images.stamp()
            if stamp != info.stamp and not self._same_content(info):
                return None
            if damaged(self.path, info, index):
                self.say(f"{self.title}: {self.path} is damaged: rewriting it")
                return None
            self._note(info, stamp)
            self.say(f"{self.title}: {self.path} is already written, {_contents(info)}")
            return info
        return None

    def _same_content(self, info: BetonInfo) -> bool:
        return (
            not info.skipped
            and info.labels_digest == labels_digest(self.images.labels)
            and info.list_digest == self.images.list_digest()
        )

    def _note(self, info: BetonInfo, stamp: str) -> None:
        """Note the stamps of today, if files were only copied or touched."""
        fresh = replace(
            info,
            stamp=stamp,
            modified_ns=self.path.stat().st_mtime_ns,
            **self._place(),
        )
        if fresh != info:
            with suppress(OSError):  # a read-only store is fine
                write_whole(info_path(self.path), fresh.text())
            if stamp != info.stamp and not info.skipped:
                self._list(stamp, self.images.digests())

    def _place(self) -> dict[str, Any]:
        """The stamps of the source's folders and archive."""
        found: dict[str, Any] = {"place": self.source.place(), "folders": (), "folders_stamp": ""}
        images = getattr(self.images, "whole", self.images)
        if isinstance(images, FolderSet) and len(images.folders) <= MOST_FOLDERS:
            found["folders"] = images.folders
            found["folders_stamp"] = folders_stamp(images.folder, images.folders)
        return found

    def _list(self, stamp: str, digests: list[str]) -> None:
        keep_listing(listing_path(self.source.home, self.split), stamp, self.images, digests)

    def _updated(self, old: BetonInfo, index: Index) -> BetonInfo | None:
        """Update a description of version 1; None unless every image is stored as it would be."""
        if old.skipped or labels_digest(self.images.labels) != index.labels_digest:
            return None
        stamp, place = self.images.stamp(), self._place()
        self.say(f"{self.title}: {self.path} was written by an earlier version: comparing")
        found = proven(self.images, self.path, index, self.settings, self.title, self.say)
        if found is None:
            self.say(f"{self.title}: stored images differ from what would be written: rewriting")
            return None
        info = replace(
            from_the_store(self.path, old, index),
            list_digest=digest_of_list(found.digests),
            counts=found.counts,
            stamp=stamp,
            command=self.command,
            **place,
        )
        write_whole(info_path(self.path), info.text())
        self._list(stamp, found.digests)
        self.say(f"{self.title}: {self.path} is updated, {_contents(info)}")
        return info

    def write(self, workers: int, skip_broken: bool) -> BetonInfo | None:
        """Write the file and its JSON. None if images are broken and `skip_broken` is False."""
        beside = info_path(self.path)
        try:
            # taken before reading, so that a file changed meanwhile does not match
            stamp, place = self.images.stamp(), self._place()
            for left in (self.path, beside):  # leftovers of killed runs of an earlier version
                left.with_name(left.name + ".part").unlink(missing_ok=True)
            with ExitStack() as stack:
                description = stack.enter_context(whole_file(beside))
                out = stack.enter_context(
                    BetonFile(self.path, len(self.images), self.settings.page)
                )
                digests, labels, counts = self._encode(out, workers, skip_broken)
                stored = [d for d in digests if d]
                if not stored and len(self.broken) == len(self.images):
                    raise InputError(
                        f"{self.title}: every image is broken, the first is {self.broken[0]}"
                    )
                if self.broken and not skip_broken:
                    raise _Ended
                out.finish()
                info = BetonInfo(
                    source=self.source.name,
                    split=self.split,
                    classes=self.images.classes,
                    count=len(stored),
                    class_counts=tuple(
                        int(n) for n in np.bincount(labels, minlength=len(self.images.classes))
                    ),
                    settings=self.stored_as,
                    mean=self.source.mean,
                    std=self.source.std,
                    list_digest=digest_of_list(stored),
                    stamp=stamp,
                    skipped=len(self.broken),
                    bytes=out.size,
                    index_sha256=out.index_sha256,
                    command=self.command,
                    labels_digest=labels_digest(labels),
                    counts={k: counts[k] for k in COUNTS},
                    content_sha256=out.content.hexdigest(),
                    modified_ns=out.modified_ns,
                    **place,
                )
                description.write(info.text().encode("utf-8"))
                description.flush()
                os.fsync(description.fileno())  # everything is on disk before the first rename
                beside.unlink(missing_ok=True)  # an older JSON must never describe the new file
        except _Ended:
            return None
        except OSError as e:
            raise InputError(
                f"cannot write {self.path}: {e.strerror or e}; nothing was left behind"
            ) from e
        if isinstance(self.images, FolderSet) and not self.broken:
            # cache the hashes for the plain loader
            self.images.keep_digest(stamp, info.list_digest)
        self._list(stamp, digests)
        return info

    def _encode(
        self, out: BetonFile, workers: int, skip_broken: bool
    ) -> tuple[list[str], list[int], Counter[str]]:
        """Encode all images into `out`.

        Returns the sha256 of every image ("" for a broken one), the labels of the stored ones, and
        counts of how they are stored.
        """
        digests: list[str] = []
        labels: list[int] = []
        counts: Counter[str] = Counter()
        progress = Progress(self.title, len(self.images), self.say, unit=" images")
        for stored in encode_all(self.images, self.settings, workers if self.images.costly else 0):
            progress.update()
            digests.append(stored.digest)
            if stored.problem:
                self.broken.append(f"{self.images.name(stored.index)}: {stored.problem}")
                self.say(f"broken: {self.broken[-1]}")
                continue
            if self.broken and not skip_broken:
                continue  # only look for more broken images
            label = int(self.images.labels[stored.index])
            out.add(stored.data, stored.mode, stored.width, stored.height, label)
            labels.append(label)
            counts[stored.how] += 1
            counts["shrunk"] += stored.shrunk
        if skip_broken or not self.broken:
            took = progress.took()
            self.say(f"{self.title}: {len(labels)} images, {out.at / 1e6:.1f} MB, in {took}")
        return digests, labels, counts


def _contents(info: BetonInfo) -> str:
    left_out = f", {pluralize(info.skipped, 'broken image')} left out" if info.skipped else ""
    return f"{info.count} images{left_out}"


class _Ended(Exception):
    """Ends the writing of a split with broken images."""
