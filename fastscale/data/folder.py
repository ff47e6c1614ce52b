"""Image folders: any tree `train|val/<class>/*`, such as ImageNet.

Classes are sorted by folder name and files by path; subfolders of a class folder are included.
Tiny-ImageNet's layout is read too: `val/images/*` with the classes in `val/val_annotations.txt`.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from fastscale.common import MIB, read_json, read_text, write_whole
from fastscale.data.images import ImageSet, digest_of_list
from fastscale.data.scan import SUFFIXES, Scan, check_name, entries, is_system, one_line
from fastscale.errors import InputError

SPLITS = ("train", "val")
# names of a split's folder; the first that exists is used (some sets have only test)
FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "test"),
}
ANNOTATIONS = "val_annotations.txt"  # Tiny-ImageNet: file, class and box, one line per image


def split_folder(tree: Path, split: str) -> Path:
    """The folder of a split in a tree."""
    return next((tree / n for n in FOLDERS[split] if (tree / n).is_dir()), tree / split)


def find_tree(folder: Path, *, depth: int = 2, splits: tuple[str, ...] = SPLITS) -> Path | None:
    """The folder that holds train/ and val/ (or test/): `folder` itself or the one below it.

    (Archives have a top folder.) `splits`: the splits that must be there.
    """
    if all(split_folder(folder, s).is_dir() for s in splits):
        return folder
    if depth and folder.is_dir():
        found = [
            t
            for sub in entries(folder)
            if not is_system(sub.name) and os.path.isdir(sub.path)
            for t in [find_tree(Path(sub.path), depth=depth - 1, splits=splits)]
            if t
        ]
        if len(found) > 1:
            wanted = " and ".join(f"{s}/" for s in splits)
            raise InputError(
                f"{folder}: contains {len(found)} trees with {wanted} "
                f"({found[0]}, {found[1]}, ...); name one of them"
            )
        return found[0] if found else None
    return None


def class_folders(split_folder: Path, scan: Scan | None = None) -> tuple[str, ...]:
    """Class names of a split, sorted. InputError if there are none.

    `scan` counts the other entries of the folder.
    """
    if not split_folder.is_dir():
        raise InputError(
            f"{split_folder}: no such folder; images must be in train/<class>/* and val/<class>/*"
        )
    if (split_folder / ANNOTATIONS).is_file():
        return tuple(sorted(set(annotated(split_folder).values())))
    names = []
    for entry in entries(split_folder):
        hidden = entry.name.startswith(".") or is_system(entry.name)
        if not hidden and os.path.isdir(entry.path):
            names.append(entry.name)
        elif scan is not None:
            scan.note(entry)
    if not names:
        raise InputError(
            f"{split_folder}: contains no class folders; images must be in "
            f"{split_folder.name}/<class>/*"
        )
    for name in names:
        check_name(split_folder / name)
    return tuple(names)


def annotated(folder: Path) -> dict[str, str]:
    """{file: class} of Tiny-ImageNet's val_annotations.txt. InputError for any other content."""
    path = folder / ANNOTATIONS
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(path, 64 * MIB).splitlines(), start=1):
        words = line.split("\t")
        if len(words) < 2 or not words[0] or not words[1] or "/" in words[0]:
            raise InputError(f"{path}: line {number} does not name a file and its class")
        found[words[0]] = words[1]
    if not found:
        raise InputError(f"{path}: names no images")
    return found


class FolderSet(ImageSet):
    """The images of one split folder.

    `digest_cache`: a file that keeps the list's hash while names, sizes and times stay the same.
    `left_out` describes the files left out.
    """

    def __init__(self, folder: Path, digest_cache: Path | None = None):
        self.folder, self.digest_cache = Path(folder), digest_cache
        scan = Scan(self.folder)
        classes = class_folders(self.folder, scan)
        self.files: list[str] = []
        labels: list[int] = []
        if (self.folder / ANNOTATIONS).is_file():
            self._take_annotated(scan, {name: k for k, name in enumerate(classes)}, labels)
        else:
            for label, name in enumerate(classes):
                found = scan.images(name)
                if not found:
                    more = f"; left out: {scan.describe()}" if scan.left_out else ""
                    raise InputError(
                        f"{one_line(self.folder / name)}: contains no images "
                        f"({' '.join(SUFFIXES)}){more}"
                    )
                self.files += found
                labels += [label] * len(found)
        self.left_out, self.folders = scan.describe(), tuple(sorted(scan.folders))
        super().__init__(classes, np.array(labels))

    def _take_annotated(self, scan: Scan, label_of: dict[str, int], labels: list[int]) -> None:
        known = annotated(self.folder)
        for entry in entries(self.folder):
            if entry.name not in ("images", ANNOTATIONS):
                scan.note(entry)
        for path in scan.images("images") if (self.folder / "images").is_dir() else []:
            name = known.pop(path.rsplit("/", 1)[-1], None)
            if name is None:
                scan.left_out["images without an annotation"] += 1
            else:
                self.files.append(path)
                labels.append(label_of[name])
        if known:
            raise InputError(
                f"{self.folder}: {len(known)} images of {ANNOTATIONS} are missing, "
                f"the first is {one_line(next(iter(known)))}"
            )

    def only(self, files: Iterable[str]) -> FolderSet:
        """The set with these files alone and all classes."""
        wanted, part = {*files}, copy.copy(self)
        taken = [i for i, file in enumerate(self.files) if file in wanted]
        part.files, part.labels = [self.files[i] for i in taken], self.labels[taken]
        return part

    def read(self, i: int) -> bytes:
        with open(f"{self.folder}/{self.files[i]}", "rb") as file:
            return file.read()

    def name(self, i: int) -> str:
        return one_line(self.folder / self.files[i])

    def states(self) -> list[tuple[str, int, int]]:
        """(file, bytes, modification time in ns) of every image, without reading it."""
        return list(self._states())

    def _states(self) -> Iterator[tuple[str, int, int]]:
        root = os.fspath(self.folder)
        for f in self.files:
            s = os.stat(f"{root}/{f}")  # joining paths would take longer than stat itself
            yield f, s.st_size, s.st_mtime_ns

    def stamp(self) -> str:
        """sha256 of every file's name, size and modification time, and of the annotations."""
        seen = hashlib.sha256()
        for f, size, time in self._states():
            seen.update(f"{f}\0{size}\0{time}\n".encode("utf-8", "surrogateescape"))
        if (self.folder / ANNOTATIONS).is_file():
            seen.update(self.labels.tobytes())
        return seen.hexdigest()

    def list_digest(self) -> str:
        stamp = self.stamp()
        if self.digest_cache is not None and (kept := read_digest(self.digest_cache, stamp)):
            return kept
        value = digest_of_list(self.digests())
        self.keep_digest(stamp, value)
        return value

    def digests(self) -> list[str]:
        """sha256 of every image, read now."""
        with ThreadPoolExecutor(8) as pool:  # reading and hashing release the GIL
            return list(pool.map(self.digest, range(len(self)), chunksize=64))

    def keep_digest(self, stamp: str, value: str) -> None:
        """Cache the hash for this stamp. Without write access, images are hashed again later."""
        if self.digest_cache is not None:
            write_digest(self.digest_cache, stamp, value)


def read_digest(cache: Path, stamp: str) -> str | None:
    """The sha256 that the file `cache` has for this stamp, or None."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = read_json(cache, MIB)
        if kept["stamp"] == stamp and re.fullmatch("[0-9a-f]{64}", kept["list_digest"]):
            return str(kept["list_digest"])
    return None


def write_digest(cache: Path, stamp: str, value: str) -> None:
    """Caches a sha256. Without write access, it is computed again later."""
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cache, f'{{"stamp": "{stamp}", "list_digest": "{value}"}}')


def folders_stamp(root: Path, folders: tuple[str, ...]) -> str:
    """sha256 of the entries of a split's folder and of these folders' modification times.

    It changes whenever an image is added, removed, moved or renamed, but not when one is
    overwritten in place. OSError if a folder is gone.
    """
    seen = hashlib.sha256()
    for name in sorted(e.name for e in os.scandir(root)):
        seen.update(f"{name}\n".encode("utf-8", "surrogateescape"))
    for name in folders:
        seen.update(f"{os.stat(root / name).st_mtime_ns}\n".encode())
    return seen.hexdigest()


def same_classes(train: tuple[str, ...], val: tuple[str, ...], where: object) -> tuple[str, ...]:
    """The classes. InputError names those that one split has and the other lacks."""
    for has, lacks, extra in (
        ("train", "val", set(train) - set(val)),
        ("val", "train", set(val) - set(train)),
    ):
        if extra:
            shown = ", ".join(map(one_line, sorted(extra)[:3])) + (
                ", ..." if len(extra) > 3 else ""
            )
            raise InputError(
                f"{where}: {has} has classes that {lacks} lacks ({len(extra)}: {shown}); "
                f"both need the same class folders{_but_for(train, val)}"
            )
    return train


def _but_for(train: tuple[str, ...], val: tuple[str, ...]) -> str:
    """How two lists of names that look the same differ; empty for other lists."""

    def one_form(names: tuple[str, ...]) -> list[str]:
        return sorted(unicodedata.normalize("NFC", name) for name in names)

    if one_form(train) == one_form(val):
        return (
            " (the names differ only in how accents are encoded, NFC or NFD, as in zips by macOS)"
        )
    if sorted(map(str.casefold, one_form(train))) == sorted(map(str.casefold, one_form(val))):
        return " (the names differ only in capitals)"
    return ""
