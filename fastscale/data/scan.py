"""Finds the images in class folders, and counts by kind everything that is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fastscale.common import plain
from fastscale.errors import InputError

SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
)
DEPTH = 4  # levels of folders searched in a class folder
# files and folders that operating systems and tools leave behind
SYSTEM = (
    *("thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin", "system volume information"),
    *("icon\r", "__macosx", "@eadir", "#recycle", "lost+found"),
)


def is_system(name: str) -> bool:
    """Whether this name is of a system file or folder: `._x.png`, `.DS_Store`, `__MACOSX`."""
    low = name.lower()
    return low.startswith("._") or low == ".ds_store" or low in SYSTEM


def one_line(name: object) -> str:
    """A file name on one line, for messages."""
    return plain(str(name)).replace("\n", "\\n").replace("\t", "\\t")


def check_name(folder: Path) -> None:
    """InputError for a folder name that is not UTF-8, as it goes into descriptions and records."""
    try:
        folder.name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"{one_line(folder)}: the name of this folder is not UTF-8; rename it"
        ) from None


def entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted by name. InputError if it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda e: e.name)
    except OSError as error:
        raise InputError(f"{one_line(folder)}: cannot be read ({error.strerror})") from None


class Scan:
    """A search of class folders.

    `left_out` counts by kind what is not an image. `folders` lists the folders searched, relative
    to `root`.
    """

    def __init__(self, root: Path):
        self.root = Path(root)
        self.left_out: Counter[str] = Counter()
        self.folders: list[str] = []
        self._suffixes: set[str] = set()

    def images(self, name: str) -> list[str]:
        """The images in class folder `name` and its subfolders: sorted paths relative to `root`."""
        return sorted(self._walk(name, DEPTH, frozenset()))

    def note(self, entry: os.DirEntry[str]) -> None:
        """Count an entry that is neither an image nor a class folder."""
        if is_system(entry.name):
            self.left_out["system files"] += 1
        elif entry.is_symlink() and not os.path.exists(entry.path):
            self.left_out["dangling links"] += 1
        elif _is_dir(entry):
            self.left_out["hidden folders"] += 1
        elif not _is_file(entry):
            self.left_out["pipes, devices or the like"] += 1
        elif entry.name.lower().endswith(SUFFIXES):
            self.left_out["images in no class folder"] += 1
        else:
            self.left_out["files that are no images"] += 1
            self._suffixes.add(os.path.splitext(entry.name)[1].lower() or "no suffix")

    def describe(self) -> str:
        """`10 dangling links, 3 files that are no images (.txt)`, or "" if nothing is left out."""
        parts = []
        for kind, count in sorted(self.left_out.items()):
            kinds = ""
            if kind == "files that are no images":
                few = sorted(self._suffixes)
                kinds = f" ({', '.join(few[:4])}{', ...' if len(few) > 4 else ''})"
            parts.append(f"{count:,} {kind[:-1] if _single(kind, count) else kind}{kinds}")
        return one_line(", ".join(parts))

    def _walk(self, folder: str, depth: int, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        check_name(self.root / folder)
        here = os.stat(self.root / folder)
        above |= {(here.st_dev, here.st_ino)}
        self.folders.append(folder)
        for entry in entries(self.root / folder):
            path, system = f"{folder}/{entry.name}", is_system(entry.name)
            if not system and self._is_image(entry):
                yield path
            elif not system and _is_dir(entry):
                inside = os.stat(entry.path)
                if entry.name.startswith("."):
                    self.left_out["hidden folders"] += 1
                elif (inside.st_dev, inside.st_ino) in above:
                    self.left_out["links to a folder above"] += 1
                elif depth == 0:
                    self.left_out[f"folders more than {DEPTH} levels deep"] += 1
                else:
                    yield from self._walk(path, depth - 1, above)
            else:
                self.note(entry)

    @staticmethod
    def _is_image(entry: os.DirEntry[str]) -> bool:
        return entry.name.lower().endswith(SUFFIXES) and _is_file(entry)


def _single(kind: str, count: int) -> bool:
    return count == 1 and kind in ("system files", "dangling links", "hidden folders")


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
