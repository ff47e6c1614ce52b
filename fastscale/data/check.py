"""`fastscale data check`: faults that spoil training or its error, and other oddities of images."""

from __future__ import annotations

import hashlib
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fastscale.common import cores
from fastscale.data.folder import SPLITS, FolderSet
from fastscale.data.images import ImageSet, Say, upright
from fastscale.data.progress import Progress
from fastscale.data.scan import one_line
from fastscale.data.sources import source

FEW = 10  # training images: a class with fewer is hardly learned
UNEVEN = 20  # ratio of the largest class to the smallest
TINY = 64  # pixels of the shorter side
LONG = 4  # ratio of the sides: most of a longer image is cropped away
GREY = 2  # levels by which the channels of a grey JPEG may differ
NAMED = 3  # images or classes named in a line


@dataclass(frozen=True)
class Look:
    """Facts about one image. `problem`: why it cannot be read, or empty."""

    split: str
    name: str
    label: str
    digest: str
    problem: str = ""
    width: int = 0
    height: int = 0
    grey: bool = False
    turned: bool = False


@dataclass(frozen=True)
class Oddity:
    """A line of the report. A fault spoils training or the reported error."""

    line: str
    fault: bool = False


def check(
    spec: str,
    data_dir: str | os.PathLike[str] | None = None,
    say: Say = print,
) -> int:
    """Report on the images of `spec` and return the number of faults.

    Every image is read and decoded. InputError if the images are not on this machine.
    """
    of = source(spec, data_dir)
    looks: list[Look] = []
    for split in SPLITS:
        images = of.split(split)
        looks += look(images, split, of.name, say)
        if images.left_out:
            say(f"{of.name} {split}: left out: {images.left_out}")
    for split in SPLITS:
        say(f"{of.name} {split}: {summary([x for x in looks if x.split == split])}")
    odd = list(oddities(looks))
    for oddity in odd:
        say(f"{'fault' if oddity.fault else 'odd'}: {oddity.line}")
    if not odd:
        say("nothing odd: no broken, tiny, grey or rotated images, no copies, no small classes")
    return sum(oddity.fault for oddity in odd)


def look(images: ImageSet, split: str, name: str, say: Say) -> list[Look]:
    """Inspect every image of a split, in order."""
    progress = Progress(f"{name} {split}", len(images), say, unit=" images")
    found = []
    with ThreadPoolExecutor(max(2, cores())) as pool:
        for one in pool.map(lambda i: _look(images, split, i), range(len(images)), chunksize=16):
            found.append(one)
            progress.update()
    progress.close()
    return found


def _look(images: ImageSet, split: str, i: int) -> Look:
    data = images.read(i)
    label = images.classes[int(images.labels[i])]
    about = (split, _short(images, i), label, hashlib.sha256(data).hexdigest())
    try:
        pixels = images.decode(data)
    except Exception as error:  # PIL raises almost anything on damaged bytes
        return Look(*about, problem=str(error) or type(error).__name__)
    height, width = pixels.shape[:2]
    turned = isinstance(images, FolderSet) and not upright(data)
    return Look(*about, "", width, height, is_grey(pixels), turned)


def _short(images: ImageSet, i: int) -> str:
    if isinstance(images, FolderSet):
        return one_line(f"{images.folder.name}/{images.files[i]}")
    return images.name(i)


def is_grey(pixels: np.ndarray) -> bool:
    """Whether an (H, W, 3) uint8 image has no colour."""
    small = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX), np.int16)
    return int(np.ptp(small, axis=2).max()) <= GREY


def summary(looks: Sequence[Look]) -> str:
    """Images, classes and sizes of a split, in one line."""
    counts = Counter(x.label for x in looks)
    least, most = min(counts.values()), max(counts.values())
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    sides = [x for x in looks if not x.problem]
    size = "none can be read"
    if sides:
        wide = round(statistics.median(x.width for x in sides))
        high = round(statistics.median(x.height for x in sides))
        short = [min(x.width, x.height) for x in sides]
        size = f"median {wide} x {high} px, shorter sides {min(short)} to {max(short)} px"
    return f"{len(looks):,} images in {len(counts)} classes, {each} in each; {size}"


def oddities(looks: Sequence[Look]) -> Iterator[Oddity]:
    """Every line of the report, faults first."""
    yield from _faults(looks)
    yield from _classes(looks)
    whole = [x for x in looks if not x.problem]
    size = [x for x in whole if min(x.width, x.height) < TINY]
    if size:
        yield Oddity(_named(size, f"under {TINY} px on the shorter side: enlarged, little detail"))
    if long := [x for x in whole if max(x.width, x.height) > LONG * min(x.width, x.height)]:
        yield Oddity(
            _named(long, f"over {LONG} times as long as wide: mostly cropped away in evaluation")
        )
    if grey := [x for x in whole if x.grey]:
        per = Counter(x.label for x in grey)
        total = Counter(x.label for x in whole)
        mostly = [c for c in per if 2 * per[c] > total[c] and len(grey) < len(whole)]
        hint = f"; most of {_few(mostly)}: greyness may give the class away" if mostly else ""
        yield Oddity(_named(grey, "grey") + hint)
    if turned := [x for x in whole if x.turned]:
        yield Oddity(
            _named(turned, "rotated by EXIF orientation: read upright here, but not by every tool")
        )


def _faults(looks: Sequence[Look]) -> Iterator[Oddity]:
    if broken := [x for x in looks if x.problem]:
        yield Oddity(
            _named(broken, f"broken ({broken[0].problem})")
            + "; fastscale data write --skip-broken skips them",
            fault=True,
        )
    groups: dict[str, list[Look]] = defaultdict(list)
    for x in looks:
        groups[x.digest].append(x)
    copies = [group for group in groups.values() if len(group) > 1]
    if both := [g for g in copies if len({x.split for x in g}) > 1]:
        images = sum(sum(x.split == "val" for x in g) for g in both)
        yield Oddity(
            f"{_count(images, 'validation image')} byte for byte in the training images too "
            f"({_pairs(both)}): the measured error will be too low",
            fault=True,
        )
    if torn := [g for g in copies if len({x.label for x in g}) > 1]:
        yield Oddity(
            f"{_count(len(torn), 'image')} byte for byte in two classes or more ({_pairs(torn)})",
            fault=True,
        )
    if same := [g for g in copies if g not in both and g not in torn]:
        more = sum(len(g) - 1 for g in same)
        yield Oddity(f"{_count(more, 'image')} a copy of another in its class ({_pairs(same)})")


def _classes(looks: Sequence[Look]) -> Iterator[Oddity]:
    train = Counter(x.label for x in looks if x.split == "train" and not x.problem)
    val = Counter(x.label for x in looks if x.split == "val" and not x.problem)
    names = sorted({x.label for x in looks})
    if few := [c for c in names if train[c] < FEW]:
        listed = _few([f"{c} ({train[c]})" for c in few])
        yield Oddity(
            f"{len(few)} class{'es have' if len(few) > 1 else ' has'} under {FEW} training images: "
            f"{listed}"
        )
    if none := [c for c in names if not val[c]]:
        yield Oddity(f"no validation images of {_few(none)}: its error is not measured")
    if len(names) > 1:
        least, most = min(names, key=lambda c: train[c]), max(names, key=lambda c: train[c])
        if train[most] >= UNEVEN * max(1, train[least]):
            yield Oddity(
                f"{most} has {train[most]:,} training images, {least} {train[least]:,}: "
                "a network may never predict the rare class"
            )


def _named(looks: Sequence[Look], what: str) -> str:
    return f"{_count(len(looks), 'image')} {what}: {_few([x.name for x in looks])}"


def _count(count: int, name: str) -> str:
    return f"{count:,} {name}{'s are' if count > 1 else ' is'}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _pairs(groups: Iterable[list[Look]]) -> str:
    return _few([" = ".join(x.name for x in group[:3]) for group in groups])
