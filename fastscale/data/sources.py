"""`source(spec)`: the data set with a name or at a path."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from fastscale.data import archives
from fastscale.data.cifar10 import Cifar10, cifar10_at
from fastscale.data.fashion_mnist import FashionMnist
from fastscale.data.imagenette import Imagenette
from fastscale.data.paths import data_root
from fastscale.data.source_kinds import ArchiveSource, FolderSource, Source, short_hash
from fastscale.errors import InputError

SOURCES = ("fashion-mnist", "cifar10", "imagenette", "imagenet")


def path_source(
    path: Path, name: str | None, spec: str, data_dir: str | os.PathLike[str] | None
) -> Source:
    """The folder or archive at `path`. `name` None: a name made from the path."""
    path = path.expanduser().absolute()
    stem = path.name.split(".")[0] or "images"
    stem = "".join(c if c.isprintable() else "_" for c in stem)  # goes into records and messages
    kind = ArchiveSource if archives.is_archive(path) and not path.is_dir() else FolderSource
    found = kind(path, name or f"{stem}-{short_hash(path.resolve())}", spec, data_dir)
    found.own = name is None
    return found


def source(spec: str, data_dir: str | os.PathLike[str] | None = None) -> Source:
    """The source that `spec` names. Nothing is fetched yet.

    `fashion-mnist`, `cifar10`, `imagenette`; `imagenet`, the user's folder
    data_root/imagenet/{train,val}/<wnid>; `folder:/path`, or the path of such a folder or of an
    archive of one; `imagenette:/path`, `cifar10:/path`: that set from a user's folder or archive.
    InputError for anything else.
    """
    head, colon, rest = spec.partition(":")
    if colon and rest:
        if head == "folder":
            return path_source(Path(rest), None, spec, data_dir)
        if head == "cifar10":
            return cifar10_at(Path(rest), spec, data_dir)
        if head in ("imagenette", "imagenet"):
            return path_source(Path(rest), head, spec, data_dir)
    if spec == "fashion-mnist":
        return FashionMnist(spec, data_dir)
    if spec == "cifar10":
        return Cifar10(spec, data_dir)
    if spec == "imagenette":
        return Imagenette(spec, data_dir)
    if spec == "imagenet":
        return FolderSource(data_root(data_dir) / "imagenet", "imagenet", spec, data_dir)
    if spec and Path(spec).expanduser().exists():
        return path_source(Path(spec), None, spec, data_dir)
    near = difflib.get_close_matches(spec.lower(), SOURCES, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"no data source {spec!r} and no such folder or archive (choose from {', '.join(SOURCES)}, "
        f"folder:PATH, or the path of an archive){hint}"
    )
