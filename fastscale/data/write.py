"""`fastscale data write`: a source into `train.beton` and `val.beton`, with a JSON beside each.

Every image is decoded and hashed on the way. Files get their names when they are complete, the JSON
last. The next run removes the leftovers of a killed one. A second process waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from fastscale.common import cores, remove_stale, write_whole
from fastscale.data.beton import info_path, read_both
from fastscale.data.encode import Settings
from fastscale.data.folder import SPLITS
from fastscale.data.images import Say
from fastscale.data.info import BetonInfo
from fastscale.data.source_kinds import FolderSource, Source, lock
from fastscale.data.sources import source
from fastscale.data.split_writer import SplitWriter
from fastscale.data.upgrade import from_the_store
from fastscale.errors import InputError

SHOWN = 20  # broken images named in a message


class BrokenImages(Exception):
    """Images that cannot be decoded; `.names` lists them with the reason.

    The command prints the text and ends with exit code 1.
    """

    def __init__(self, names: list[str]):
        self.names = names
        more = [f"... and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        last = f"{len(names)} broken images; --skip-broken leaves them out"
        super().__init__("\n".join([*names[:SHOWN], *more, last]))


def _print(line: str) -> None:
    print(line, flush=True)


def write(
    source: Source | str,
    out_dir: str | os.PathLike[str] | None = None,
    *,
    max_resolution: int | None = None,
    jpeg_quality: int | None = None,
    raw_share: float = 0.0,
    workers: int | None = None,
    skip_broken: bool = False,
    limit: int | None = None,
    val: float | None = None,
    progress: Say | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> dict[str, BetonInfo]:
    """Fetch `source` if needed and write both splits.

    `out_dir`: default data_root/<source>/beton, where ImageData looks. `max_resolution`: longer
    side in pixels; None: the source's default (500 for photographs, unchanged for small sets).
    Images with no side above 64 are stored raw, others as JPEG except for `raw_share` of them.
    `jpeg_quality` None: JPEG files that are small enough are kept byte for byte. `limit`: only so
    many images of each split, for a trial. `val`: share of each class kept for validation, if the
    user's images are in one folder of class folders; None: the share of the previous split, else
    a fifth. `progress` gets lines of text (default: print).

    A split already written from the same images, labels and classes with the same settings is
    kept. One of an earlier version is updated if its content proves to match. Raises BrokenImages
    after all images were tried, unless `skip_broken`; InputError for an unusable source or folder.
    """
    say = _print if progress is None else progress
    if isinstance(source, str):
        source = _source(source, data_dir)
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit}: must be at least 1 image")
    if val is not None:
        if not (isinstance(source, FolderSource) and source.own):
            raise InputError(f"--val: {source.name} already has validation images")
        source.val_share = val
    largest = source.max_resolution if max_resolution is None else max_resolution
    settings = Settings(largest, jpeg_quality, raw_share)
    folder = Path(out_dir).expanduser().absolute() if out_dir is not None else source.betons
    try:
        source.fetch(say)
    except InputError:
        if found := _without_images(source, folder, say):
            return found
        raise
    if isinstance(source, FolderSource) and val is not None and source.to_be_split() is None:
        raise InputError(f"--val: {source.root} already has a folder of validation images")
    infos: dict[str, BetonInfo] = {}
    broken: list[str] = []
    with lock(folder / ".write.lock", say):
        for place in (folder, source.home):  # leftovers of killed runs
            remove_stale(place)
        sets = {split: source.split(split).limited(limit) for split in SPLITS}
        # both splits are listed before the first is written
        for split, images in sets.items():
            if images.left_out:
                say(f"{source.name} {split}: left out: {images.left_out}")
            job = SplitWriter(source, split, images, folder, settings, limit, out_dir, say)
            info = job.kept()
            if info is None:
                info = job.write(cores() if workers is None else workers, skip_broken)
                broken += job.broken
            if info is not None:
                infos[split] = info
    if broken and not skip_broken:
        raise BrokenImages(broken)
    return infos


_source: Callable[..., Source] = source  # `write` has an argument of that name


def prepare(
    spec: str, data_dir: str | os.PathLike[str] | None = None, progress: Say | None = None
) -> dict[str, BetonInfo]:
    """Fetch and write a source with its defaults. Returns at once if that was done before."""
    return write(spec, progress=progress, data_dir=data_dir)


def _without_images(source: Source, folder: Path, say: Say) -> dict[str, BetonInfo] | None:
    """Update the descriptions of a store of an earlier version whose images are gone.

    None if there is no such store.
    """
    if not (folder / "train.json").is_file():
        return None
    infos = {}
    with lock(folder / ".write.lock", say):
        for split in SPLITS:
            path = folder / f"{split}.beton"
            try:
                info, index = read_both(path, old=True)
            except InputError:
                return None
            infos[split] = from_the_store(path, info, index) if info.version == 1 else info
            if info.version == 1:
                write_whole(info_path(path), infos[split].text())
                say(
                    f"{source.name} {split}: updated from the store alone, "
                    "because its images are no longer here"
                )
    return infos
