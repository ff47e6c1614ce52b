"""Writes the user's images for FFCV at their first use, so that one command trains on them."""

from __future__ import annotations

import os

from fastscale.common import pluralize
from fastscale.data.choice import have_ffcv
from fastscale.data.images import Say
from fastscale.data.source_kinds import ArchiveSource, FolderSource
from fastscale.data.sources import source as find_source
from fastscale.data.write import BrokenImages, write
from fastscale.errors import InputError


def write_first(
    spec: str, data_dir: str | os.PathLike[str] | None, loader: str | None, say: Say = print
) -> None:
    """Write a user's folder or archive if the loader reads `.beton` files and none are written.

    InputError for broken images, too.
    """
    source = find_source(spec, data_dir)
    reads = have_ffcv() and loader in (None, "auto", "ffcv", "resident")
    if not (reads and isinstance(source, FolderSource) and source.own):
        return
    if any((source.betons / f"{split}.beton").exists() for split in ("train", "val")):
        return
    if isinstance(source, ArchiveSource):
        source.unpacked()  # raises for a missing archive
    else:
        _ = source.classes  # raises for a missing or empty folder
    say(f"{source.name}: writing it for the loader, once, as with: {source.command}")
    try:
        write(source, progress=say)
    except BrokenImages as error:
        first, count = error.names[0], len(error.names)
        raise InputError(
            f"{pluralize(count, 'broken image')}, the first is {first}; "
            f"skip them with: {source.command} --skip-broken"
        ) from None


def keep_split(spec: str, data_dir: str | os.PathLike[str] | None) -> None:
    """Draw the split of an unsplit folder again if its note is lost.

    The draw is deterministic, so evaluation uses the images that training kept for validation.
    """
    source = find_source(spec, data_dir)
    if isinstance(source, FolderSource) and source.own and source.to_be_split():
        source.split("val")
