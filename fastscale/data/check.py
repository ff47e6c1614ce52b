"""`fastscale data check`: what is odd about a source's images, in a line each: what would spoil a
training or its error, and what one would rather know before it."""

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

FEW = 10  # training images of a class: below, it is hardly learned
UNEVEN = 20  # the largest class has so many times the images of the smallest
TINY = 64  # pixels of the shorter side
LONG = 4  # times the shorter side: most of such an image is cut away
GREY = 2  # levels by which the channels of a grey picture may differ, for JPEG
NAMED = 3  # images or classes that a line names


@dataclass(frozen=True)
class Look:
    """What one image is like. `problem`: why it cannot be read, else empty."""

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
    """A line, and whether it is a fault: what spoils a training, or the error that is told of it."""

    line: str
    fault: bool = False


def check(
    spec: str,
    data_dir: str | os.PathLike[str] | None = None,
    say: Say = print,
) -> int:
    """Says what the images of `spec` are like and what is odd; returns how many faults there are.

    Every image is read and decoded. InputError where the images are not here.
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
        say("nothing odd: no broken, tiny, grey or turned image, no copies, no class with few")
    return sum(oddity.fault for oddity in odd)


def look(images: ImageSet, split: str, name: str, say: Say) -> list[Look]:
    """At every image of a split, in order."""
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
    except Exception as error:  # of PIL: whatever damaged bytes make it raise
        return Look(*about, problem=str(error) or type(error).__name__)
    height, width = pixels.shape[:2]
    turned = isinstance(images, FolderSet) and not upright(data)
    return Look(*about, "", width, height, is_grey(pixels), turned)


def _short(images: ImageSet, i: int) -> str:
    if isinstance(images, FolderSet):
        return one_line(f"{images.folder.name}/{images.files[i]}")
    return images.name(i)


def is_grey(pixels: np.ndarray) -> bool:
    """Whether an (H, W, 3) uint8 picture has no colour."""
    small = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX), np.int16)
    return int(np.ptp(small, axis=2).max()) <= GREY


def summary(looks: Sequence[Look]) -> str:
    """Images, classes and sizes of a split."""
    counts = Counter(x.label for x in looks)
    least, most = min(counts.values()), max(counts.values())
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    sides = [x for x in looks if not x.problem]
    size = "none of which can be read"
    if sides:
        wide = round(statistics.median(x.width for x in sides))
        high = round(statistics.median(x.height for x in sides))
        short = [min(x.width, x.height) for x in sides]
        size = f"{wide} x {high} px in the middle, shorter sides {min(short)} to {max(short)} px"
    return f"{len(looks):,} images of {len(counts)} classes, {each} in each; {size}"


def oddities(looks: Sequence[Look]) -> Iterator[Oddity]:
    """Every line that is to be said: faults first."""
    yield from _faults(looks)
    yield from _classes(looks)
    whole = [x for x in looks if not x.problem]
    size = [x for x in whole if min(x.width, x.height) < TINY]
    if size:
        yield Oddity(_named(size, f"shorter than {TINY} px: enlarged, with little to see"))
    if long := [x for x in whole if max(x.width, x.height) > LONG * min(x.width, x.height)]:
        yield Oddity(
            _named(long, f"over {LONG} times as long as wide: most of it is cut away in evaluation")
        )
    if grey := [x for x in whole if x.grey]:
        per = Counter(x.label for x in grey)
        total = Counter(x.label for x in whole)
        mostly = [c for c in per if 2 * per[c] > total[c] and len(grey) < len(whole)]
        hint = f"; most of {_few(mostly)}: the class may be told by that" if mostly else ""
        yield Oddity(_named(grey, "grey") + hint)
    if turned := [x for x in whole if x.turned]:
        yield Oddity(
            _named(turned, "turned by its EXIF orientation: taken upright here, not by every tool")
        )


def _faults(looks: Sequence[Look]) -> Iterator[Oddity]:
    if broken := [x for x in looks if x.problem]:
        yield Oddity(
            _named(broken, f"broken ({broken[0].problem})")
            + "; fastscale data write --skip-broken leaves them out",
            fault=True,
        )
    groups: dict[str, list[Look]] = defaultdict(list)
    for x in looks:
        groups[x.digest].append(x)
    copies = [group for group in groups.values() if len(group) > 1]
    if both := [g for g in copies if len({x.split for x in g}) > 1]:
        images = sum(sum(x.split == "val" for x in g) for g in both)
        yield Oddity(
            f"{_count(images, 'validation image')} in the training images, too, byte by byte "
            f"({_pairs(both)}): the error will be too good",
            fault=True,
        )
    if torn := [g for g in copies if len({x.label for x in g}) > 1]:
        yield Oddity(
            f"{_count(len(torn), 'image')} in two classes or more, byte by byte ({_pairs(torn)})",
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
        yield Oddity(f"no validation image of {_few(none)}: its errors are in no figure")
    if len(names) > 1:
        least, most = min(names, key=lambda c: train[c]), max(names, key=lambda c: train[c])
        if train[most] >= UNEVEN * max(1, train[least]):
            yield Oddity(
                f"{most} has {train[most]:,} training images, {least} {train[least]:,}: "
                "a network may never say the rare one"
            )


def _named(looks: Sequence[Look], what: str) -> str:
    return f"{_count(len(looks), 'image')} {what}: {_few([x.name for x in looks])}"


def _count(count: int, name: str) -> str:
    return f"{count:,} {name}{'s are' if count > 1 else ' is'}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _pairs(groups: Iterable[list[Look]]) -> str:
    return _few([" = ".join(x.name for x in group[:3]) for group in groups])
