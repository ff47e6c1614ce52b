"""A data set published as one archive.

It is downloaded once, verified by its hashes, unpacked into data_root/<name> and then deleted.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from fastscale.data import archives
from fastscale.data.download import download
from fastscale.data.images import Say
from fastscale.data.source_kinds import ArchiveSource
from fastscale.errors import InputError


class PublicArchive(ArchiveSource):
    """A subclass defines the archive's urls and hashes and the name of its unpacked folder."""

    urls: ClassVar[tuple[str, ...]]
    sha256: ClassVar[str]
    md5: ClassVar[str]
    folder: ClassVar[str]

    def unpacked(self) -> Path:
        return self.home / self.folder

    def place(self) -> str:
        return ""  # the archive is deleted once it is unpacked

    @property
    def base(self) -> Path:
        if not self.unpacked().is_dir():
            raise InputError(
                f"{self.name} is not in {self.unpacked()} yet; download it with: {self.command}"
            )
        return self.unpacked()

    def fetch(self, progress: Say = print) -> None:
        if not self.unpacked().is_dir():
            with self.locked(progress):
                if not self.unpacked().is_dir():
                    download(
                        self.urls, self.archive, sha256=self.sha256, md5=self.md5, say=progress
                    )
                    archives.unpack(self.archive, self.unpacked(), progress)
                    self.archive.unlink()
        self.tree()
