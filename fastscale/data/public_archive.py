"""A data set that its makers offer as one archive: fetched by its hashes once, unpacked into data_root/<name>, and then removed."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from fastscale.data import archives
from fastscale.data.download import download
from fastscale.data.images import Say
from fastscale.data.source_kinds import ArchiveSource
from fastscale.errors import InputError


class PublicArchive(ArchiveSource):
    """A subclass says where the archive is, what it must be, and how its unpacked folder is called."""

    urls: ClassVar[tuple[str, ...]]
    sha256: ClassVar[str]
    md5: ClassVar[str]
    folder: ClassVar[str]

    def unpacked(self) -> Path:
        return self.home / self.folder

    def place(self) -> str:
        return ""  # the archive is removed when it is unpacked

    @property
    def base(self) -> Path:
        if not self.unpacked().is_dir():
            raise InputError(
                f"{self.name} is not in {self.unpacked()} yet; fetch it with: {self.command}"
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
