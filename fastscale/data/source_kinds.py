"""Sources of data sets: objects that fetch images once and list them."""

from __future__ import annotations

import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastscale.common import IMAGENET_MEAN, IMAGENET_STD
from fastscale.data import archives
from fastscale.data.folder import (
    SPLITS,
    FolderSet,
    class_folders,
    find_tree,
    read_digest,
    same_classes,
    split_folder,
    write_digest,
)
from fastscale.data.images import ImageSet, Say
from fastscale.data.paths import beton_folder, data_root, write_command
from fastscale.data.splitting import describe, one_folder, split_of
from fastscale.errors import InputError

PHOTO_SIDE = 500  # longer side of stored photographs; ImageNet's are about 500 x 375


class Source(ABC):
    """One data set.

    `.name`: its folder in data_root. `.mean`, `.std`: per channel of RGB, 0..255.
    `.max_resolution`: longer side of stored images in pixels; None: unchanged. `.command` fetches
    and writes it.
    """

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    max_resolution: int | None = PHOTO_SIDE
    val_share: float | None = None  # share of each class for validation, for unsplit images

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
        """The command that writes it with these settings (max_resolution, jpeg_quality, ...)."""
        own = {k: v for k, v in {"val": self.val_share, **settings}.items() if v not in (None, 0)}
        if own.get("max_resolution") == self.max_resolution:
            own.pop("max_resolution", None)
        return write_command(self.spec, self.data_dir, {"out": out, **own})

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is an index into them. InputError if the images are missing."""

    @abstractmethod
    def fetch(self, progress: Say = print) -> None:
        """Download, verify and unpack the images. Returns at once if that was done before."""

    @property
    def images_at(self) -> Path | None:
        """The folder of its images once it is fetched; None if there is none."""
        return None

    def place(self) -> str:
        """The identity of the archive of its images; empty if there is none."""
        return ""

    def was_at(self, place: str) -> bool:
        """Whether a store that noted this `place` was written from today's archive, if any."""
        return self.place() in ("", place)

    @abstractmethod
    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        """The images of "train" or "val".

        InputError if they are missing, or if the classes of the splits differ. `alone`: the other
        split need not exist.
        """

    def check_split(self, name: str) -> None:
        if name not in SPLITS:
            raise InputError(f"unknown split {name!r} (choose from {', '.join(SPLITS)})")

    @contextmanager
    def locked(self, say: Say) -> Iterator[None]:
        """The lock with which one process at a time fetches a source."""
        with lock(self.home / ".fetch.lock", say):
            yield


@contextmanager
def lock(path: Path, say: Say) -> Iterator[None]:
    """Hold the lock file `path`. Waits, with a line, for another process that holds it.

    The system releases the lock of a killed process.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():  # opening it would truncate its target
            raise InputError(f"{path}: a link, so it is not written to; delete it")
        held = FileLock(path)
        try:
            held.acquire(timeout=0)
        except Timeout:
            say(f"waiting for another process that is writing in {path.parent}")
            held.acquire()
    except OSError as e:
        raise InputError(
            f"cannot write in {path.parent}: {e.strerror or e}; "
            "choose another folder with FASTSCALE_DATA"
        ) from e
    try:
        yield
    finally:
        held.release()


class FolderSource(Source):
    """A tree `train|val/<class>/*` on this machine: ImageNet, or a user's images.

    `own`: a user's images. These may also be one folder of class folders, or train/ alone, which
    is split (splitting.py). `val_share` None: by the noted share.
    """

    own = False

    def __init__(
        self, root: Path, name: str, spec: str, data_dir: str | os.PathLike[str] | None = None
    ):
        super().__init__(name, spec, data_dir)
        self.root = root

    @property
    def base(self) -> Path:
        """The folder in which images are searched. InputError if it is missing."""
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
            either = ", or <class>/* alone" if self.own else ""
            problem = "is a file, not a folder" if self.base.exists() else "no such folder"
            problem = "contains no such images" if self.base.is_dir() else problem
            raise InputError(f"{self.root}: {problem}; wanted: {wanted}{either}")
        return found

    def to_be_split(self) -> Path | None:
        """The folder of class folders to split; None if train/ and val/ exist."""
        if not self.own or find_tree(self.base) is not None:
            return None
        return one_folder(self.base)

    def folder_of(self, split: str) -> Path:
        """The folder to which the file names of a split are relative."""
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
        """InputError if its images cannot be used. Prints a line if they are split here."""
        folder = self.to_be_split()
        if folder is None:
            self.tree()
        else:
            whole = FolderSet(folder)
            if len(whole.classes) < 2:
                raise InputError(
                    f"{folder}: contains images of only one class; make a folder for each class"
                )
            split = split_of(whole, self.note, self.val_share)
            say(describe(self.name, split, self.note, len(whole.classes)))

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        self.check_split(name)
        cache = self.home / f"digest-{name}.json"
        folder = self.to_be_split()
        if folder is not None:
            whole = FolderSet(folder, cache)
            if alone and not self.note.is_file():
                return whole  # never trained on: all images can be evaluated
            kept = split_of(whole, self.note, self.val_share).kept
            return whole.only(file for file, side in kept.items() if side is (name == "val"))
        if not alone:
            _ = self.classes  # both splits must agree
        tree = self.tree((name,) if alone else SPLITS)
        return FolderSet(split_folder(tree, name), cache)


class ArchiveSource(FolderSource):
    """An archive file with such a tree, unpacked once into data_root/<name>.

    Its identity is its sha256: a copy or a new download is the same archive.
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
            return None  # the archive is gone

    def place(self) -> str:
        try:
            return self._sha256()
        except OSError:
            return ""

    def was_at(self, place: str) -> bool:
        try:
            s = self.archive.stat()
        except OSError:
            return True
        earlier = short_hash(s.st_size, s.st_mtime_ns)  # what stores kept before they kept a sha256
        return place == earlier or place == self._sha256()

    def _sha256(self) -> str:
        """The archive's hash; it is read again when its size or time of change has changed."""
        s = self.archive.stat()
        stamp = f"{s.st_size}-{s.st_mtime_ns}"
        note = self.home / f"archive-{short_hash(self.archive.resolve())}.json"
        if kept := read_digest(note, stamp):
            return kept
        with open(self.archive, "rb") as file:
            value = hashlib.file_digest(file, "sha256").hexdigest()
        write_digest(note, stamp, value)
        return value

    @property
    def base(self) -> Path:
        folder = self.unpacked()
        if not folder.is_dir():
            raise InputError(f"{self.archive} is not unpacked yet; unpack it with: {self.command}")
        return folder

    def fetch(self, progress: Say = print) -> None:
        if not self.unpacked().is_dir():
            with self.locked(progress):
                target = self.unpacked()
                if not target.is_dir():
                    # from earlier content of the archive
                    for old in self.home.glob(f"unpacked-{short_hash(self.archive.resolve())}-*"):
                        shutil.rmtree(old, ignore_errors=True)
                    archives.unpack(self.archive, target, progress)
        try:
            self.check(progress)
        except InputError:
            shutil.rmtree(self.unpacked(), ignore_errors=True)  # not such an archive: keep nothing
            raise


def short_hash(*parts: object) -> str:
    text = "\0".join(map(str, parts))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
