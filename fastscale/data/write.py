"""`fastscale data write`: a source into `train.beton` and `val.beton`, with a JSON beside each;
whole or not there.

Every image is decoded and hashed on its way into the file. Files get their names when they are
complete, the JSON last; what a killed run left is removed by the next one; a second process waits.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastscale.common import remove_stale, whole_file, write_whole
from fastscale.data.beton import Index, damaged, info_path, read_both
from fastscale.data.beton_file import BetonFile
from fastscale.data.encode import Settings, encode_all
from fastscale.data.folder import SPLITS, FolderSet, folders_stamp
from fastscale.data.identity import labels_digest
from fastscale.data.images import ImageSet, Say, digest_of_list
from fastscale.data.info import COUNTS, INFO_VERSION, BetonInfo
from fastscale.data.listing import keep_listing, listing_path
from fastscale.data.progress import Progress
from fastscale.data.source_kinds import Source, lock
from fastscale.data.sources import source
from fastscale.data.upgrade import from_the_store, proven
from fastscale.errors import InputError

MOST_FOLDERS = 50_000  # whose times of change are kept: beyond, every file is looked at
SHOWN = 20  # names of broken images in a message


class BrokenImages(Exception):
    """Images that can't be decoded; `.names` lists them with what is wrong. The command prints the text and ends with exit code 1."""

    def __init__(self, names: list[str]):
        self.names = names
        more = [f"... and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        super().__init__(
            "\n".join(
                [
                    *names[:SHOWN],
                    *more,
                    f"{len(names)} broken images; --skip-broken leaves them out",
                ]
            )
        )


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print(line: str) -> None:
    print(line, flush=True)


def write(
    source: Source | str,
    out_dir: str | os.PathLike[str] | None = None,
    *,
    max_resolution: int | None = None,
    jpeg_quality: int | None = None,
    raw_share: float = 0.0,
    workers: int | None = None,
    skip_broken: bool = False,
    limit: int | None = None,
    progress: Say | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> dict[str, BetonInfo]:
    """Fetch `source` if need be and write both splits to `out_dir` (default: where ImageData looks,
    data_root/<source>/beton).

    `max_resolution`: longer side in pixels, None: the source's own (500 for photographs, unchanged
    for small sets). Images with no side above 64 are stored raw, others as JPEG but for `raw_share`
    of them. `jpeg_quality` None: JPEG files that are small enough are kept byte by byte. `limit`:
    only so many images of each split, for a trial.
    A split already written from the same images, labels and classes with the same settings is kept;
    one of an earlier version is brought up to date where its content proves to match.
    `progress` gets lines of text (default: print).
    Raises BrokenImages after all images were tried, unless `skip_broken`; InputError for a source or
    place that can't be used.
    """
    say = _print if progress is None else progress
    if isinstance(source, str):
        source = _source(source, data_dir)
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit}: wanted at least 1 image")
    largest = source.max_resolution if max_resolution is None else max_resolution
    settings = Settings(largest, jpeg_quality, raw_share)
    folder = Path(out_dir).expanduser().absolute() if out_dir is not None else source.betons
    try:
        source.fetch(say)
    except InputError:
        if found := _without_images(source, folder, say):
            return found
        raise
    infos: dict[str, BetonInfo] = {}
    broken: list[str] = []
    with lock(folder / ".write.lock", say):
        for place in (folder, source.home):  # of killed runs
            remove_stale(place)
        sets = {split: source.split(split).limited(limit) for split in SPLITS}
        # both are looked through before one is written
        for split, images in sets.items():
            if images.left_out:
                say(f"{source.name} {split}: left out: {images.left_out}")
            job = _Split(source, split, images, folder, settings, limit, out_dir, say)
            info = job.kept()
            if info is None:
                info = job.write(cores() if workers is None else workers, skip_broken)
                broken += job.broken
            if info is not None:
                infos[split] = info
    if broken and not skip_broken:
        raise BrokenImages(broken)
    return infos


_source: Callable[..., Source] = source  # `write` has an argument of that name


def prepare(
    spec: str, data_dir: str | os.PathLike[str] | None = None, progress: Say | None = None
) -> dict[str, BetonInfo]:
    """Fetch and write a source with its defaults; returns at once when that was done before."""
    return write(spec, progress=progress, data_dir=data_dir)


def _without_images(source: Source, folder: Path, say: Say) -> dict[str, BetonInfo] | None:
    """A store of an earlier version whose images are gone: its descriptions brought up to date from
    the store alone. None where there is nothing of the kind."""
    if not (folder / "train.json").is_file():
        return None
    infos = {}
    with lock(folder / ".write.lock", say):
        for split in SPLITS:
            path = folder / f"{split}.beton"
            try:
                info, index = read_both(path, old=True)
            except InputError:
                return None
            infos[split] = from_the_store(path, info, index) if info.version == 1 else info
            if info.version == 1:
                write_whole(info_path(path), infos[split].text())
                say(
                    f"{source.name} {split}: brought up to date from the store alone, "
                    "for its images are not here any more"
                )
    return infos


class _Split:
    """One split on its way into its file."""

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
        """What is there already, if it is what would be written."""
        with suppress(InputError):
            info, index = read_both(self.path, old=True)
            if info.settings != self.stored_as or info.classes != self.images.classes:
                return None
            if info.version < INFO_VERSION:
                return self._brought_up_to_date(info, index)
            stamp = self.images.stamp()
            if stamp != info.stamp and not self._same_content(info):
                return None
            if damaged(self.path, info, index):
                self.say(f"{self.title}: {self.path} is damaged: writing it again")
                return None
            self._note(info, stamp)
            self.say(f"{self.title}: {self.path} is there already, {info.count} images")
            return info
        return None

    def _same_content(self, info: BetonInfo) -> bool:
        return (
            not info.skipped
            and info.labels_digest == labels_digest(self.images.labels)
            and info.list_digest == self.images.list_digest()
        )

    def _note(self, info: BetonInfo, stamp: str) -> None:
        """The stamps of the same content, where files were only copied or touched."""
        fresh = replace(
            info,
            stamp=stamp,
            modified_ns=self.path.stat().st_mtime_ns,
            **self._place(),
        )
        if fresh != info:
            with suppress(OSError):  # a store that can't be written to is as good
                write_whole(info_path(self.path), fresh.text())
            if stamp != info.stamp and not info.skipped:
                self._list(stamp, self.images.digests())

    def _place(self) -> dict[str, Any]:
        """What the source's folders and archive are like now."""
        found: dict[str, Any] = {"place": self.source.place(), "folders": (), "folders_stamp": ""}
        images = getattr(self.images, "whole", self.images)
        if isinstance(images, FolderSet) and len(images.folders) <= MOST_FOLDERS:
            found["folders"] = images.folders
            found["folders_stamp"] = folders_stamp(images.folder, images.folders)
        return found

    def _list(self, stamp: str, digests: list[str]) -> None:
        keep_listing(listing_path(self.source.home, self.split), stamp, self.images, digests)

    def _brought_up_to_date(self, old: BetonInfo, index: Index) -> BetonInfo | None:
        """The description of version 1 as one of today, where every stored image proves to be what
        would be written."""
        if old.skipped or labels_digest(self.images.labels) != index.labels_digest:
            return None
        stamp, place = self.images.stamp(), self._place()
        self.say(f"{self.title}: {self.path} was written by an earlier version: comparing")
        found = proven(self.images, self.path, index, self.settings, self.title, self.say)
        if found is None:
            self.say(f"{self.title}: not what would be written today: writing it again")
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
        self.say(f"{self.title}: {self.path} is brought up to date, {info.count} images")
        return info

    def write(self, workers: int, skip_broken: bool) -> BetonInfo | None:
        """Write the file and its JSON; None when images are broken and that is not allowed."""
        beside = info_path(self.path)
        try:
            # before reading: a file changed meanwhile will not match
            stamp, place = self.images.stamp(), self._place()
            for left in (self.path, beside):  # of a killed run of an earlier version
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
                    raise _Broken
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
                os.fsync(description.fileno())  # all is on the disk before the first name changes
                beside.unlink(missing_ok=True)  # an older one never stands beside the new file
        except _Broken:
            return None
        except OSError as e:
            raise InputError(
                f"cannot write {self.path}: {e.strerror or e}; nothing was left behind"
            ) from e
        if isinstance(self.images, FolderSet) and not self.broken:
            # all hashes are known now: the plain loader needs them too
            self.images.keep_digest(stamp, info.list_digest)
        self._list(stamp, digests)
        return info

    def _encode(
        self, out: BetonFile, workers: int, skip_broken: bool
    ) -> tuple[list[str], list[int], Counter[str]]:
        """(sha256 of every image, "" for a broken one; labels of the stored ones; counts by how)."""
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
                continue  # the rest is only tried
            label = int(self.images.labels[stored.index])
            out.add(stored.data, stored.mode, stored.width, stored.height, label)
            labels.append(label)
            counts[stored.how] += 1
            counts["shrunk"] += stored.shrunk
        written = len(labels)
        self.say(f"{self.title}: {written} images, {out.at / 1e6:.1f} MB, in {progress.took()}")
        return digests, labels, counts


class _Broken(Exception):
    """Ends the writing of a split whose broken images are not to be left out."""
