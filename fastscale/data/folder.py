"""Image folders: any tree `train|val/<class>/*`, ImageNet's among them. Classes in sorted folder order, files in sorted order."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from fastscale.data.images import ImageSet, digest_of_list
from fastscale.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = ("train", "val")
FOLDERS = {
    "train": ("train",),
    "val": ("val", "validation", "test"),
}  # the first that exists: some sets call theirs test


def split_folder(tree: Path, split: str) -> Path:
    """The folder of a split in a tree."""
    return next((tree / n for n in FOLDERS[split] if (tree / n).is_dir()), tree / split)


def find_tree(folder: Path, *, depth: int = 2) -> Path | None:
    """The folder that holds train/ and val/ (or test/): `folder` itself, or the one below it that does (archives have a top folder)."""
    if all(split_folder(folder, s).is_dir() for s in SPLITS):
        return folder
    if depth and folder.is_dir():
        found = [
            t
            for sub in sorted(folder.iterdir())
            if sub.is_dir()
            for t in [find_tree(sub, depth=depth - 1)]
            if t
        ]
        if len(found) > 1:
            raise InputError(
                f"{folder}: holds {len(found)} trees of train/ and val/ ({found[0]}, {found[1]}, ...); name one of them"
            )
        return found[0] if found else None
    return None


def class_folders(split_folder: Path) -> tuple[str, ...]:
    """Names of the class folders of one split, sorted; InputError when there are none."""
    if not split_folder.is_dir():
        raise InputError(
            f"{split_folder}: no such folder; images are wanted in train/<class>/* and val/<class>/*"
        )
    names = tuple(
        sorted(
            e.name for e in os.scandir(split_folder) if e.is_dir() and not e.name.startswith(".")
        )
    )
    if not names:
        raise InputError(
            f"{split_folder}: holds no class folders; images are wanted in {split_folder.name}/<class>/*"
        )
    return names


class FolderSet(ImageSet):
    """The images of one split folder. `digest_cache`: a file that keeps the list's hash while names, sizes and times stay the same."""

    def __init__(self, folder: Path, digest_cache: Path | None = None):
        self.folder, self.digest_cache = Path(folder), digest_cache
        classes = class_folders(self.folder)
        self.files: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(classes):
            found = sorted(
                e.name
                for e in os.scandir(self.folder / name)
                if e.name.lower().endswith(SUFFIXES) and e.is_file()
            )
            if not found:
                raise InputError(f"{self.folder / name}: holds no images ({' '.join(SUFFIXES)})")
            self.files += [f"{name}/{f}" for f in found]
            labels += [label] * len(found)
        super().__init__(classes, np.array(labels))

    def read(self, i: int) -> bytes:
        return (self.folder / self.files[i]).read_bytes()

    def name(self, i: int) -> str:
        return str(self.folder / self.files[i])

    def stamp(self) -> str:
        """sha256 over every file's name, size and time of change: no image is read."""
        seen = hashlib.sha256()
        for f in self.files:
            s = os.stat(self.folder / f)
            seen.update(f"{f}\0{s.st_size}\0{s.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return seen.hexdigest()

    def list_digest(self) -> str:
        stamp = self.stamp()
        if self.digest_cache is not None:
            with suppress(OSError, ValueError, KeyError, TypeError):
                kept = json.loads(self.digest_cache.read_text())
                if kept["stamp"] == stamp:
                    return str(kept["list_digest"])
        with ThreadPoolExecutor(8) as pool:  # reading and hashing leave Python's lock
            value = digest_of_list(pool.map(self.digest, range(len(self)), chunksize=64))
        self.keep_digest(stamp, value)
        return value

    def keep_digest(self, stamp: str, value: str) -> None:
        """Remember the hash for this stamp; a place that can't be written only costs the time to hash again."""
        if self.digest_cache is not None:
            with suppress(OSError):
                self.digest_cache.parent.mkdir(parents=True, exist_ok=True)
                part = self.digest_cache.with_name(f"{self.digest_cache.name}.{os.getpid()}.part")
                part.write_text(json.dumps({"stamp": stamp, "list_digest": value}))
                os.replace(part, self.digest_cache)


def same_classes(train: tuple[str, ...], val: tuple[str, ...], where: object) -> tuple[str, ...]:
    """The classes, or InputError that names what one split has and the other lacks."""
    for has, lacks, extra in (
        ("train", "val", set(train) - set(val)),
        ("val", "train", set(val) - set(train)),
    ):
        if extra:
            shown = ", ".join(sorted(extra)[:3]) + (", ..." if len(extra) > 3 else "")
            raise InputError(
                f"{where}: {has} has classes that {lacks} lacks ({len(extra)}: {shown}); both need the same class folders"
            )
    return train
