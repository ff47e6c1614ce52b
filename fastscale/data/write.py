"""`fastscale data write`: a source into `train.beton` and `val.beton`, with a JSON beside each; resumable, and whole or not there.

Every image is decoded and hashed on its way into the file. Files get their names when they are complete, the JSON last; what a killed run
left is removed by the next one; a second process waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from fastscale.data.beton import BetonInfo, check_beton, info_path, read_info
from fastscale.data.beton_file import BetonFile
from fastscale.data.encode import Settings, encode_all
from fastscale.data.folder import SPLITS, FolderSet
from fastscale.data.images import ImageSet, Say, digest_of_list
from fastscale.data.progress import Progress
from fastscale.data.sources import Source, lock, source
from fastscale.errors import InputError

SHOWN = 20  # names of broken images in a message


class BrokenImages(Exception):
    """Images that can't be decoded; `.names` lists them with what is wrong. The command prints the text and ends with exit code 1."""

    def __init__(self, names: list[str]):
        self.names = names
        more = [f"... and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        super().__init__(
            "\n".join(
                [
                    *names[:SHOWN],
                    *more,
                    f"{len(names)} broken images; --skip-broken leaves them out",
                ]
            )
        )


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    progress: Say | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> dict[str, BetonInfo]:
    """Fetch `source` if need be and write both splits to `out_dir` (default: where ImageData looks, data_root/<source>/beton).

    `max_resolution`: longer side in pixels, None: the source's own (500 for photographs, unchanged for small sets). Images with no side
    above 64 are stored raw, others as JPEG but for `raw_share` of them. `jpeg_quality` None: JPEG files that are small enough are kept
    byte by byte. `limit`: only so many images of each split, for a trial.
    A split already written from the same images with the same settings is kept. `progress` gets lines of text (default: print).
    Raises BrokenImages after all images were tried, unless `skip_broken`; InputError for a source or place that can't be used.
    """
    say = _print if progress is None else progress
    if isinstance(source, str):
        source = _source(source, data_dir)
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit}: wanted at least 1 image")
    largest = source.max_resolution if max_resolution is None else max_resolution
    settings = Settings(largest, jpeg_quality, raw_share)
    source.fetch(say)
    folder = Path(out_dir).expanduser().absolute() if out_dir is not None else source.betons
    infos: dict[str, BetonInfo] = {}
    broken: list[str] = []
    with lock(folder / ".write.lock", say):
        sets = {
            split: source.split(split).limited(limit) for split in SPLITS
        }  # both are looked through before one is written
        for split, images in sets.items():
            job = _Split(source, split, images, folder / f"{split}.beton", settings, limit, say)
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
    """Fetch and write a source with its defaults; returns at once when that was done before."""
    return write(spec, progress=progress, data_dir=data_dir)


class _Split:
    """One split on its way into its file."""

    def __init__(
        self,
        source: Source,
        split: str,
        images: ImageSet,
        path: Path,
        settings: Settings,
        limit: int | None,
        say: Say,
    ):
        self.source, self.split, self.images, self.path, self.settings, self.say = (
            source,
            split,
            images,
            path,
            settings,
            say,
        )
        self.stored_as = {
            "max_resolution": settings.max_resolution,
            "jpeg_quality": settings.jpeg_quality,
            "raw_share": settings.raw_share,
            "limit": limit,
        }
        self.part = path.with_name(path.name + ".part")
        self.title = f"{source.name} {split}"
        self.broken: list[str] = []

    def kept(self) -> BetonInfo | None:
        """What is there already, if it is what would be written."""
        with suppress(InputError):
            info = read_info(self.path)
            same = info.settings == self.stored_as and info.classes == self.images.classes
            if same and (
                info.stamp == self.images.stamp()
                or (not info.skipped and info.list_digest == self.images.list_digest())
            ):
                self.say(f"{self.title}: {self.path} is there already, {info.count} images")
                return info
        return None

    def write(self, workers: int, skip_broken: bool) -> BetonInfo | None:
        """Write the file and its JSON; None when images are broken and that is not allowed."""
        beside = info_path(self.path)
        json_part = beside.with_name(beside.name + ".part")
        stamp = self.images.stamp()  # before reading: a file changed meanwhile will not match
        try:
            digests, labels = self._encode(workers, skip_broken)
            if self.broken and not skip_broken:
                return None
            if not digests:
                raise InputError(
                    f"{self.title}: every image is broken, the first is {self.broken[0]}"
                )
            index = check_beton(self.part)
            info = BetonInfo(
                source=self.source.name,
                split=self.split,
                classes=self.images.classes,
                count=len(digests),
                class_counts=tuple(
                    int(n) for n in np.bincount(labels, minlength=len(self.images.classes))
                ),
                settings=self.stored_as,
                mean=self.source.mean,
                std=self.source.std,
                list_digest=digest_of_list(digests),
                stamp=stamp,
                skipped=len(self.broken),
                bytes=self.part.stat().st_size,
                index_sha256=index,
                command=self.source.command,
            )
            info.save(json_part)  # all is on the disk before the first name changes
            beside.unlink(missing_ok=True)  # an older one must never stand beside the new file
            os.replace(self.part, self.path)
            os.replace(json_part, beside)
        except OSError as e:
            raise InputError(
                f"cannot write {self.path}: {e.strerror or e}; nothing was left behind"
            ) from e
        finally:
            self.part.unlink(missing_ok=True)
            json_part.unlink(missing_ok=True)
        if isinstance(self.images, FolderSet) and not self.broken:
            self.images.keep_digest(
                stamp, info.list_digest
            )  # all hashes are known now: the plain loader needs them too
        return info

    def _encode(self, workers: int, skip_broken: bool) -> tuple[list[str], list[int]]:
        digests: list[str] = []
        labels: list[int] = []
        progress = Progress(self.title, len(self.images), "images", self.say)
        with BetonFile(
            self.part, len(self.images), self.settings.page
        ) as out:  # over what a killed run left
            for stored in encode_all(
                self.images, self.settings, workers if self.images.costly else 0
            ):
                progress.step(1)
                if stored.problem:
                    self.broken.append(f"{self.images.name(stored.index)}: {stored.problem}")
                    self.say(f"broken: {self.broken[-1]}")
                    continue
                if self.broken and not skip_broken:
                    continue  # the rest is only tried
                label = int(self.images.labels[stored.index])
                out.add(stored.data, stored.mode, stored.width, stored.height, label)
                digests.append(stored.digest)
                labels.append(label)
            if digests:
                out.finish()
        self.say(
            f"{self.title}: {len(digests)} images, {out.at / 1e6:.1f} MB, in {progress.took()}"
        )
        return digests, labels
