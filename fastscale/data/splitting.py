"""Splits one folder of class folders into training and validation images, once and for all.

A random share of each class is kept for validation. A file notes which images, so that the split
stays when images are added or removed. Images of equal content are always on the same side.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastscale.common import MIB, read_json, write_whole
from fastscale.data.folder import FolderSet, split_folder
from fastscale.data.scan import SUFFIXES, entries, is_system, one_line
from fastscale.errors import InputError

SHARE = 0.2  # default share of each class
MOST = 256 * MIB  # largest size of the file that notes a split


@dataclass(frozen=True)
class Split:
    """The requested share, and for each image whether it is kept for validation."""

    share: float
    kept: Mapping[str, bool]

    @classmethod
    def read(cls, path: Path) -> Split | None:
        """The split noted at `path`; None if there is none. InputError if it is damaged."""
        if not path.is_file():
            return None
        found = read_json(path, MOST)
        try:
            sides = {True: found["val"], False: found["train"]}
            kept = {file: side for side, files in sides.items() for file in files}
            share = float(found["share"])
            if not (0 < share < 1 and all(isinstance(file, str) for file in kept)):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{path}: not a split; delete it to split again") from None
        return cls(share, kept)

    def write(self, path: Path) -> None:
        """Note the split. Without write access, the draw for later images is lost."""
        sides = {"val": True, "train": False}
        files = {name: [f for f, k in self.kept.items() if k is s] for name, s in sides.items()}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps({"share": self.share, **files}, indent=0) + "\n")


def drawn(
    files: Sequence[str],
    sizes: Sequence[int],
    digest: Callable[[int], str],
    share: float,
    before: Mapping[str, bool],
) -> dict[str, bool]:
    """For each of `files` (`<class>/...`), whether it is kept for validation.

    Files of `before` stay on their side. The others are taken in order of the hashes of their
    names until a class has its share: at least one image, never all. A copy joins the image that
    it copies. `digest(i)` hashes a file; only new files of equal `sizes` are hashed.
    """
    kept = {file: before[file] for file in files if file in before}
    total = Counter(file.split("/", 1)[0] for file in files)
    wanted = {name: min(n - 1, max(1, round(share * n))) for name, n in total.items()}
    have = Counter(file.split("/", 1)[0] for file, side in kept.items() if side)
    new = [i for i, file in enumerate(files) if file not in kept]
    twice = Counter(sizes)
    asked = {sizes[i] for i in new if twice[sizes[i]] > 1}
    content = {i: digest(i) for i, size in enumerate(sizes) if size in asked}
    side_of = {content[i]: kept[f] for i, f in enumerate(files) if i in content and f in kept}
    for i in sorted(new, key=lambda i: _rank(files[i])):
        name = files[i].split("/", 1)[0]
        side = side_of.get(content.get(i, ""))
        if side is None:
            side = have[name] < wanted[name]
        if i in content:
            side_of[content[i]] = side
        kept[files[i]] = side
        have[name] += side
    return {file: kept[file] for file in files}


def _rank(file: str) -> bytes:
    return hashlib.sha256(file.encode("utf-8", "surrogateescape")).digest()


def split_of(whole: FolderSet, note: Path, share: float | None = None) -> Split:
    """The split of a folder's images: the noted one, extended by new images and noted again.

    `share` None: the noted share, else SHARE. Another share draws everything again.
    """
    before = Split.read(note)
    if share is None:
        share = before.share if before else SHARE
    known = before.kept if before and before.share == share else {}
    sizes = [size for _, size, _ in whole.states()]
    found = Split(share, drawn(whole.files, sizes, whole.digest, share, known))
    if found != before:
        found.write(note)
    return found


def one_folder(root: Path, depth: int = 1) -> Path | None:
    """The folder of class folders to split, or None.

    It is `root`, its train/ if there is no val/, or the only folder in it (an archive's top
    folder).
    """
    if split_folder(root, "val").is_dir() or not root.is_dir():
        return None
    if (train := split_folder(root, "train")).is_dir():
        return train
    inside = [
        Path(entry.path)
        for entry in entries(root)
        if not (entry.name.startswith(".") or is_system(entry.name)) and os.path.isdir(entry.path)
    ]
    if len(inside) == 1 and depth and (found := one_folder(inside[0], depth - 1)):
        return found
    return root if any(map(_holds_images, inside)) else None


def _holds_images(folder: Path) -> bool:
    return any(f.lower().endswith(SUFFIXES) for _, _, files in os.walk(folder) for f in files)


def describe(name: str, split: Split, note: Path, classes: int) -> str:
    """The split in one line, for messages."""
    val = sum(split.kept.values())
    return (
        f"{name}: {len(split.kept):,} images of {classes} classes in one folder: {val:,} of them, "
        f"{100 * split.share:.3g} % of each class at random, are kept for validation "
        f"(other share: fastscale data write --val; list: {one_line(note)})"
    )
