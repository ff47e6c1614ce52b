"""CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 RGB images of 32 x 32 pixels.

The download is the binary edition, so no pickles have to be trusted.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fastscale.data.folder import SPLITS, find_tree
from fastscale.data.images import ImageSet, files_stamp
from fastscale.data.paths import data_root
from fastscale.data.public_archive import PublicArchive
from fastscale.data.source_kinds import ArchiveSource, FolderSource, Source
from fastscale.errors import InputError

ARCHIVE = "cifar-10-binary.tar.gz"
PARTS = {"train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)), "val": ("test_batch.bin",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# of the pixels of the 50,000 training images: the published values times 255
MEAN = (0.49139968 * 255, 0.48215841 * 255, 0.44653091 * 255)
STD = (0.24703223 * 255, 0.24348513 * 255, 0.26158784 * 255)
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # a label byte, then the red, green and blue planes


class CifarSet(ImageSet):
    """Images of the binary edition, read through memory maps."""

    costly = False

    def __init__(self, folder: Path, parts: tuple[str, ...]):
        self.paths = [folder / p for p in parts]
        for p in self.paths:
            if not p.is_file() or p.stat().st_size % RECORD or not p.stat().st_size:
                raise InputError(f"{p}: not a file of CIFAR-10's binary edition")
        self._maps: list[np.ndarray] | None = None
        self.starts = np.cumsum([0, *(p.stat().st_size // RECORD for p in self.paths)])
        super().__init__(CLASSES, np.concatenate([m[:, 0] for m in self.maps]))
        if self.labels.max() >= len(CLASSES):
            raise InputError(
                f"{folder}: contains label {self.labels.max()}; not CIFAR-10's binary edition"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": None}  # a worker opens the maps itself

    @property
    def maps(self) -> list[np.ndarray]:
        if self._maps is None:
            self._maps = [
                np.memmap(p, dtype=np.uint8, mode="r").view(np.ndarray).reshape(-1, RECORD)
                for p in self.paths
            ]
        return self._maps

    def stamp(self) -> str:
        return files_stamp(self.paths)

    def read(self, i: int) -> bytes:
        part = int(np.searchsorted(self.starts, i, side="right")) - 1
        return self.maps[part][i - self.starts[part], 1:].tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        return np.ascontiguousarray(
            np.frombuffer(data, dtype=np.uint8).reshape(3, SIDE, SIDE).transpose(1, 2, 0)
        )


class CifarTree(FolderSource):
    """A user's folder with train|val/<class>/*."""

    mean, std, max_resolution = MEAN, STD, None


class CifarArchive(ArchiveSource):
    """An archive of either edition, such as the public download."""

    mean, std, max_resolution = MEAN, STD, None

    def tree(self, splits: tuple[str, ...] = SPLITS) -> Path:
        """The unpacked folder with train/ and val/, or with the files of the binary edition."""
        return tree_or_binary(self.base)

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES if _is_binary(self.tree()) else super().classes

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        self.check_split(name)
        tree = self.tree()
        return CifarSet(tree, PARTS[name]) if _is_binary(tree) else super().split(name, alone=alone)


class CifarBinary(CifarTree):
    """A user's folder with the files of the binary edition."""

    def tree(self, splits: tuple[str, ...] = SPLITS) -> Path:
        return tree_or_binary(self.root)

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        self.check_split(name)
        return CifarSet(self.tree(), PARTS[name])


class Cifar10(PublicArchive, CifarArchive):
    """The public download."""

    urls = (f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",)
    sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    md5 = "c32a1d4ab5d03f1284b67883e8d87530"  # printed on the data set's page
    folder = "images"

    def __init__(self, spec: str = "cifar10", data_dir: str | os.PathLike[str] | None = None):
        super().__init__(data_root(data_dir) / "cifar10" / ARCHIVE, "cifar10", spec, data_dir)


def _is_binary(folder: Path) -> bool:
    return (folder / PARTS["val"][0]).is_file()


def tree_or_binary(folder: Path) -> Path:
    """The folder at or below `folder` that holds the images, in either edition."""
    binary = sorted(folder.rglob(PARTS["val"][0]))
    found = binary[0].parent if binary else find_tree(folder)
    if found is None:
        raise InputError(
            f"{folder}: contains neither CIFAR-10's binary edition (*.bin) "
            "nor train/<class>/* and val/<class>/*"
        )
    return found


def cifar10_at(path: Path, spec: str, data_dir: str | os.PathLike[str] | None) -> Source:
    """CIFAR-10 from a user's folder or archive: binary edition or train|val/<class>/*."""
    path = path.expanduser().absolute()
    if not path.exists():
        raise InputError(f"{path}: no such folder or archive")
    if not path.is_dir():
        return CifarArchive(path, "cifar10", spec, data_dir)
    kind = CifarTree if find_tree(path) else CifarBinary
    return kind(path, "cifar10", spec, data_dir)
