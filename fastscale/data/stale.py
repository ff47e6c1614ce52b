"""Whether a store still matches its source: a cheap check, made whenever the store is opened.

Up to BIG images, it compares every file's name, size and modification time. For more images it
compares the folders' modification times first, which does not detect an image overwritten in place
(`fastscale data verify` and `data write` do). A missing source is accepted.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastscale.data.folder import folders_stamp
from fastscale.data.identity import labels_digest
from fastscale.data.images import ImageSet
from fastscale.data.info import BetonInfo
from fastscale.data.listing import differences, in_words, listing_path, read_listing
from fastscale.data.scan import SUFFIXES
from fastscale.data.source_kinds import FolderSource, Source
from fastscale.errors import InputError

BIG = 50_000


def changed(source: Source, info: BetonInfo) -> str | None:
    """What has changed in the source since the store was written, for a message.

    None if nothing has changed, or if the source is gone.
    """
    if info.place and not source.was_at(info.place):
        return "its archive has other content"
    root = source.images_at
    if root is None or not _holds_images(root):
        return None
    try:
        big = info.count > BIG and info.folders_stamp
        if big and _same_folders(source, info):
            return None
        images = source.split(info.split).limited(info.settings["limit"])
        return compared(source, info, images)
    except InputError as error:
        return str(error)
    except OSError as error:  # a file was removed during the check
        return f"{error.filename}: {error.strerror}"


def compared(source: Source, info: BetonInfo, images: ImageSet) -> str | None:
    """`changed` for images that are already listed."""
    if images.stamp() == info.stamp and images.classes == info.classes:
        return None
    before = read_listing(listing_path(source.home, info.split), info.stamp)
    if before is not None and images.states() is not None:
        found = differences(before, images, images.digest)
        if found:
            return in_words(found)
        return None if images.classes == info.classes else _classes(info, images)
    count = info.count + info.skipped
    if len(images) != count:
        return f"{len(images):,} images instead of {count:,}"
    if images.classes != info.classes:
        return _classes(info, images)
    if labels_digest(images.labels) != info.labels_digest and not info.skipped:
        return "images were relabelled"
    if len(images) > BIG and images.states() is not None:
        return "names, sizes or modification times of files have changed"
    same = not info.skipped and images.list_digest() == info.list_digest
    return None if same else "images were added, removed or changed"


def _classes(info: BetonInfo, images: ImageSet) -> str:
    other = sorted(set(images.classes) ^ set(info.classes))
    return f"the classes differ ({', '.join(other[:4])}{', ...' if len(other) > 4 else ''})"


def _same_folders(source: Source, info: BetonInfo) -> bool:
    if not isinstance(source, FolderSource):
        return False
    root = source.folder_of(info.split)
    try:
        return folders_stamp(root, info.folders) == info.folders_stamp
    except OSError:
        return False


def _holds_images(root: Path) -> bool:
    suffixes = (*SUFFIXES, ".bin", "-ubyte")
    return any(name.lower().endswith(suffixes) for _, _, files in os.walk(root) for name in files)
