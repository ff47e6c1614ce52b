"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 60,000 + 10,000 grey images of 28 x 28 pixels.

The default data set. It comes from its public urls or, if these cannot be reached, from Debian's
package through apt. The hashes below, of the uncompressed content, hold for both. They are those of
the authors' files: with name and time restored in their gzip headers, Debian's files have the md5
sums that the authors published.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fastscale.data.download import download, file_hash
from fastscale.data.images import ImageSet, Say, files_stamp
from fastscale.data.paths import offline
from fastscale.data.source_kinds import Source
from fastscale.errors import InputError

SCRIPT = Path(__file__).with_suffix(".sh")
INSTALLED = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package installs it
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
FILES = {  # name: (sha256 of the uncompressed content, md5 of the authors' .gz)
    "train-images-idx3-ubyte": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    ),
    "train-labels-idx1-ubyte": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "25c81989df183df01b3e8a0aad5dffbe",
    ),
    "t10k-images-idx3-ubyte": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "bef4ecab320f06d8554ea6380940ec79",
    ),
    "t10k-labels-idx1-ubyte": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}
CLASSES = (
    "t-shirt-top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
# of the pixels of the 60,000 training images; tests recompute them
MEAN, STD = 72.94035223214286, 90.02118235130519


class IdxSet(ImageSet):
    """Grey images in an uncompressed IDX file (magic 2051, N, H, W, bytes), memory-mapped."""

    costly = False

    def __init__(self, path: Path, labels: Path):
        with open(labels, "rb") as f:
            super().__init__(CLASSES, np.frombuffer(f.read()[8:], dtype=np.uint8))
        self.path, self.labels_path = path, labels
        self._array: np.ndarray | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}  # a worker opens the map itself

    @property
    def array(self) -> np.ndarray:
        if self._array is None:
            shape = np.fromfile(self.path, dtype=">u4", count=4)[1:]
            self._array = np.memmap(
                self.path, dtype=np.uint8, mode="r", offset=16, shape=tuple(int(n) for n in shape)
            ).view(np.ndarray)
        return self._array

    def stamp(self) -> str:
        return files_stamp([self.path, self.labels_path])

    def read(self, i: int) -> bytes:
        return self.array[i].tobytes()

    def decode(self, data: bytes) -> np.ndarray:
        grey = np.frombuffer(data, dtype=np.uint8).reshape(self.array.shape[1:])
        return np.repeat(grey[..., None], 3, axis=2)

    def name(self, i: int) -> str:
        return f"{self.path.name} image {i}"


class FashionMnist(Source):
    mean, std, max_resolution = (MEAN,) * 3, (STD,) * 3, None

    def __init__(self, spec: str = "fashion-mnist", data_dir: str | os.PathLike[str] | None = None):
        super().__init__("fashion-mnist", spec, data_dir)
        self.files = self.home / "images"

    @property
    def images_at(self) -> Path:
        return self.files

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    def split(self, name: str, *, alone: bool = False) -> ImageSet:
        self.check_split(name)
        start = {"train": "train", "val": "t10k"}[name]
        if not self.files.is_dir():
            raise InputError(
                f"Fashion-MNIST is not in {self.files} yet; download it with: {self.command}"
            )
        return IdxSet(
            self.files / f"{start}-images-idx3-ubyte", self.files / f"{start}-labels-idx1-ubyte"
        )

    def fetch(self, progress: Say = print) -> None:
        with self.locked(progress):
            if self.files.is_dir():
                wrong = [
                    n
                    for n, (sha, _) in FILES.items()
                    if not (self.files / n).exists() or file_hash(self.files / n) != sha
                ]
                if not wrong:
                    return
                progress(f"{self.files / wrong[0]} is damaged: downloading again")
                shutil.rmtree(self.files)
            scratch = Path(tempfile.mkdtemp(prefix="fetch-", suffix=".part", dir=self.home))
            try:
                for old in self.home.glob("fetch-*.part"):  # left by killed runs: we hold the lock
                    if old != scratch:
                        shutil.rmtree(old, ignore_errors=True)
                found = INSTALLED if INSTALLED.is_dir() else self._fetched(scratch, progress)
                content = {name: verified(found / f"{name}.gz", name) for name in FILES}
                whole = scratch / "images"
                whole.mkdir()
                for name, data in content.items():
                    (whole / name).write_bytes(data)
                os.rename(whole, self.files)
                for fetched in self.home.glob("*-ubyte.gz*"):  # verified and unpacked by now
                    fetched.unlink()
            except OSError as e:
                raise InputError(
                    f"cannot store Fashion-MNIST in {self.home}: {e.strerror or e}"
                ) from e
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            progress(f"Fashion-MNIST is in {self.files}")

    def _fetched(self, scratch: Path, say: Say) -> Path:
        """The folder of the .gz files: from the mirrors, or by apt."""
        try:
            for name, (_, md5) in FILES.items():
                urls = [f"{mirror}{name}.gz" for mirror in MIRRORS]
                download(urls, self.home / f"{name}.gz", md5=md5, say=say)
        except InputError:
            if found := debian_package(scratch, say):
                return found
            raise
        return self.home


def verified(gz: Path, name: str) -> bytes:
    """The uncompressed content of a .gz file. InputError unless its hash is right."""
    try:
        data = gzip.decompress(gz.read_bytes())
    except (OSError, EOFError, zlib.error) as e:
        raise InputError(f"{gz}: damaged ({e})") from e
    if (got := hashlib.sha256(data).hexdigest()) != FILES[name][0]:
        raise InputError(f"{gz}: content has sha256 {got}, expected {FILES[name][0]}")
    return data


def debian_package(scratch: Path, say: Say) -> Path | None:
    """The files of Debian's package, unpacked below `scratch`; None if apt is missing or fails."""
    if offline() or not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    say("downloading Debian's package of Fashion-MNIST, 31 MB")
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 1200}
    try:
        subprocess.run(["/bin/sh", SCRIPT], cwd=scratch, check=True, **options)
    except (OSError, subprocess.SubprocessError):
        return None
    return scratch / INSTALLED.relative_to("/")
