"""Imagenette (Howard, fast.ai): ten easy classes of ImageNet, 9,469 + 3,925 photographs; the edition with a shorter side of 320."""

from __future__ import annotations

import os
from pathlib import Path

from fastscale.data.download import download
from fastscale.data.images import Say
from fastscale.data.paths import data_root
from fastscale.data.sources import ArchiveSource
from fastscale.errors import InputError

ARCHIVE = "imagenette2-320.tgz"
URLS = (f"https://s3.amazonaws.com/fast-ai-imageclas/{ARCHIVE}",)
SHA256 = "569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c"
MD5 = "3df6f0d01a2c9592104656642f5e78a3"


class Imagenette(ArchiveSource):
    """The public archive, fetched to data_root/imagenette and unpacked there. `imagenette:/path` takes another edition."""

    def __init__(self, spec: str = "imagenette", data_dir: str | os.PathLike[str] | None = None):
        super().__init__(data_root(data_dir) / "imagenette" / ARCHIVE, "imagenette", spec, data_dir)

    def unpacked(self) -> Path:
        return self.home / "imagenette2-320"

    def tree(self) -> Path:
        if not self.unpacked().is_dir():
            raise InputError(f"imagenette is not in {self.unpacked()} yet; fetch it with: {self.command}")
        return super().tree()

    def fetch(self, progress: Say = print) -> None:
        if not self.unpacked().is_dir():
            with self.locked(progress):
                if not self.unpacked().is_dir():
                    download(URLS, self.archive, sha256=SHA256, md5=MD5, say=progress)
        super().fetch(progress)
        self.archive.unlink(missing_ok=True)  # unpacked and verified: kept once, not twice
