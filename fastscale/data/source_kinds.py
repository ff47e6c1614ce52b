"""Where a data set comes from: an object that can fetch it and list its images. Nothing is fetched twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastscale.common import IMAGENET_MEAN, IMAGENET_STD, MIB, read_json, write_whole
from fastscale.data import archives
from fastscale.data.folder import (
    SPLITS,
    FolderSet,
    class_folders,
    find_tree,
    same_classes,
    split_folder,
)
from fastscale.data.images import ImageSet, Say
from fastscale.data.paths import beton_folder, data_root, write_command
from fastscale.data.splitting import one_folder, said, split_of
from fastscale.errors import InputError

PHOTO_SIDE = 500  # longer side of stored photographs: ImageNet's are 500 x 375 or so


class Source:
    """One data set. `.name` names its folder in data_root; `.mean`, `.std` are per channel of RGB, 0..255.

    `.max_resolution`: longer side in pixels of what is stored, None for as it is. `.command` fetches and writes it.
    """

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    max_resolution: int | None = PHOTO_SIDE
    val_share: float | None = None  # of each class, of images that lie in one folder

    def __init__(self, name: str, spec: str, data_dir: str | os.PathLike[str] | None = None):
        self.name, self.spec, self.data_dir = name, spec, data_dir
        self.home = data_root(data_dir) / name
        self.betons = beton_folder(name, data_dir)
        self.command = write_command(spec, data_dir)

    def __repr__(self) -> str:
        return f"source({self.spec!r})"

    def command_for(
        self, settings: Mapping[str, Any], out: str | os.PathLike[str] | None = None
    ) -> str:
        """The command that writes it in this form (max_resolution, jpeg_quality, ...)."""
        own = {k: v for k, v in {"val": self.val_share, **settings}.items() if v not in (None, 0)}
        if own.get("max_resolution") == self.max_resolution:
            own.pop("max_resolution", None)
        return write_command(self.spec, self.data_dir, {"out": out, **own})

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is an index into them. InputError where the images are not there yet."""
        raise LookupError("a subclass knows its classes")

    def fetch(self, progress: Say = print) -> None:
        """Make the images available here: download, verify, unpack; returns at once when that was done before."""

    @property
    def images_at(self) -> Path | None:
        """The folder in which its images lie once it is fetched; None where there is none."""
        return None

    def place(self) -> str:
        """What the archive of its images is known by; empty where there is none."""
        return ""

    def was_at(self, place: str) -> bool:
        """Whether a store that noted this `place` was written from the archive of today."""
        return place == self.place()

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        """The images of "train" or "val". InputError where they are not there, or the two splits'
        classes differ; `alone`: the other split need not be there."""
        raise LookupError("a subclass lists its images")

    def check_split(self, name: str) -> None:
        if name not in SPLITS:
            raise InputError(f"no split {name!r}; there are: {', '.join(SPLITS)}")

    @contextmanager
    def locked(self, say: Say) -> Iterator[None]:
        """One process at a time fetches a source."""
        with lock(self.home / ".fetch.lock", say):
            yield


@contextmanager
def lock(path: Path, say: Say) -> Iterator[None]:
    """Hold the lock file `path`; waits for another process that holds it, and says so. A killed holder's lock is free."""
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():  # it would be opened and cut to nothing
            raise InputError(f"{path}: a link, so it is not written to; remove it")
        held = FileLock(path)
        try:
            held.acquire(timeout=0)
        except Timeout:
            say(f"waiting for another process that works in {path.parent}")
            held.acquire()
    except OSError as e:
        raise InputError(
            f"cannot write in {path.parent}: {e.strerror or e}; choose another place with FASTSCALE_DATA"
        ) from e
    try:
        yield
    finally:
        held.release()


class FolderSource(Source):
    """A tree `train|val/<class>/*` on this machine: ImageNet, or the user's own.

    `own`: the user's own. One folder of class folders, or train/ alone, will do, and is split
    (splitting.py); `val_share` None: by the share that was noted.
    """

    own = False

    def __init__(
        self, root: Path, name: str, spec: str, data_dir: str | os.PathLike[str] | None = None
    ):
        super().__init__(name, spec, data_dir)
        self.root = root

    @property
    def base(self) -> Path:
        """The folder in which images are looked for; InputError where it is not there yet."""
        return self.root

    @property
    def images_at(self) -> Path | None:
        return self.root

    @property
    def note(self) -> Path:
        """The file that says which images of one folder are kept for validation."""
        return self.home / "split.json"

    def tree(self, splits: tuple[str, ...] = SPLITS) -> Path:
        """The folder that holds the folders of these splits."""
        found = find_tree(self.base, splits=splits)
        if found is None:
            wanted = " and ".join(f"{s}/<class>/*" for s in splits)
            either = ", nor one with <class>/* alone" if self.own else ""
            raise InputError(f"{self.root}: no folder with {wanted} there{either}")
        return found

    def to_be_split(self) -> Path | None:
        """The one folder of class folders that is split; None where train/ and val/ are there."""
        if not self.own or find_tree(self.base) is not None:
            return None
        return one_folder(self.base)

    def folder_of(self, split: str) -> Path:
        """Under which the files of a split's images are named."""
        return self.to_be_split() or split_folder(self.tree(), split)

    @property
    def classes(self) -> tuple[str, ...]:
        if folder := self.to_be_split():
            return class_folders(folder)
        tree = self.tree()
        train, val = (class_folders(split_folder(tree, split)) for split in SPLITS)
        return same_classes(train, val, tree)

    def fetch(self, progress: Say = print) -> None:
        self.check(progress)

    def check(self, say: Say) -> None:
        """InputError where its images cannot be used; prints a line about a split."""
        folder = self.to_be_split()
        if folder is None:
            self.tree()
        else:
            whole = FolderSet(folder)
            if len(whole.classes) < 2:
                raise InputError(
                    f"{folder}: holds images of one class alone; wanted a folder for each class"
                )
            split = split_of(whole, self.note, self.val_share)
            say(said(self.name, split, self.note, len(whole.classes)))

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        self.check_split(name)
        cache = self.home / f"digest-{name}.json"
        folder = self.to_be_split()
        if folder is not None:
            whole = FolderSet(folder, cache)
            if alone and not self.note.is_file():
                return whole  # never trained on: all of it can be evaluated
            kept = split_of(whole, self.note, self.val_share).kept
            return whole.only(file for file, side in kept.items() if side is (name == "val"))
        if not alone:
            _ = self.classes  # both splits must agree
        tree = self.tree((name,) if alone else SPLITS)
        return FolderSet(split_folder(tree, name), cache)


class ArchiveSource(FolderSource):
    """An archive file that holds such a tree, unpacked once into data_root/<name>.

    It is known by its sha256: a copy or a new download of it is the same archive.
    """

    def __init__(
        self, archive: Path, name: str, spec: str, data_dir: str | os.PathLike[str] | None = None
    ):
        super().__init__(archive, name, spec, data_dir)
        self.archive = archive

    def unpacked(self) -> Path:
        if not self.archive.is_file():
            raise InputError(f"{self.archive}: no such archive")
        return self.home / f"unpacked-{short_hash(self.archive.resolve())}-{self._sha256()[:8]}"

    @property
    def images_at(self) -> Path | None:
        try:
            return self.unpacked()
        except InputError:
            return None  # the archive is not there any more

    def place(self) -> str:
        try:
            return self._sha256()
        except OSError:
            return ""

    def was_at(self, place: str) -> bool:
        s = self.archive.stat()
        earlier = short_hash(s.st_size, s.st_mtime_ns)  # what stores kept before they kept a sha256
        return place in (earlier, self._sha256())

    def _sha256(self) -> str:
        """The archive's hash; it is read again when its size or time of change has changed."""
        s = self.archive.stat()
        stamp = f"{s.st_size}-{s.st_mtime_ns}"
        note = self.home / f"archive-{short_hash(self.archive.resolve())}.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = read_json(note, MIB)
            if kept["stamp"] == stamp and re.fullmatch("[0-9a-f]{64}", kept["sha256"]):
                return str(kept["sha256"])
        with open(self.archive, "rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        with suppress(OSError):  # then it is hashed again
            note.parent.mkdir(parents=True, exist_ok=True)
            write_whole(note, json.dumps({"stamp": stamp, "sha256": value}))
        return value

    @property
    def base(self) -> Path:
        folder = self.unpacked()
        if not folder.is_dir():
            raise InputError(f"{self.archive} is not unpacked yet; do it with: {self.command}")
        return folder

    def fetch(self, progress: Say = print) -> None:
        if not self.unpacked().is_dir():
            with self.locked(progress):
                target = self.unpacked()
                if not target.is_dir():
                    for old in self.home.glob(
                        f"unpacked-{short_hash(self.archive.resolve())}-*"
                    ):  # of an earlier state of the file
                        shutil.rmtree(old, ignore_errors=True)
                    archives.unpack(self.archive, target, progress)
        try:
            self.check(progress)
        except InputError:
            shutil.rmtree(
                self.unpacked(), ignore_errors=True
            )  # not such an archive: keep nothing of it
            raise


def short_hash(*parts: object) -> str:
    return hashlib.sha256(
        "\0".join(map(str, parts)).encode("utf-8", "surrogateescape")
    ).hexdigest()[:8]
