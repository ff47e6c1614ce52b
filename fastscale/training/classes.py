"""Classes by name: which output of a network belongs to which label of a data set.

imagenet_classes.csv holds the 1000 classes of ImageNet, sorted by WordNet id: the order of the
outputs of every network trained on it. The names are from WordNet 3.0 (copyright 2006 Princeton
University; its licence permits use, copies and changes for any purpose) in timm's edition
(Apache-2.0). Two names occur twice there; their second meaning tells them apart.
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fastscale.errors import InputError

FILE = Path(__file__).with_name("imagenet_classes.csv")
LISTED = 3  # names that a message lists


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    with open(FILE, newline="", encoding="utf-8") as file:
        return tuple((row["wnid"], row["name"]) for row in csv.DictReader(file))


def imagenet_wnids() -> tuple[str, ...]:
    """WordNet ids by output: imagenet_wnids()[0] is "n01440764"."""
    return tuple(wnid for wnid, _ in _rows())


def imagenet_names() -> tuple[str, ...]:
    """English names by output: imagenet_names()[0] is "tench"."""
    return tuple(name for _, name in _rows())


def outputs_of(wnids: Sequence[str]) -> tuple[int, ...]:
    """The output of each WordNet id (a folder name of ImageNet or Imagenette).

    InputError for an id that ImageNet does not have.

    >>> outputs_of(("n01440764", "n15075141"))
    (0, 999)
    """
    number = {wnid: i for i, wnid in enumerate(imagenet_wnids())}
    for wnid in wnids:
        if wnid not in number:
            raise InputError(
                f"{wnid!r} is no class of ImageNet; its classes are WordNet ids like n01440764"
            )
    return tuple(number[wnid] for wnid in wnids)


def _numbers(known: Sequence[str]) -> dict[str, int]:
    """The output of every name; ImageNet's WordNet ids and English names are equivalent."""
    number = {name: i for i, name in enumerate(known)}
    if tuple(known) == imagenet_names():
        number |= {wnid: i for i, wnid in enumerate(imagenet_wnids())}
    elif tuple(known) == imagenet_wnids():
        number |= {name: i for i, name in enumerate(imagenet_names())}
    return number


def outputs_by_name(known: Sequence[str], there: Sequence[str]) -> tuple[int, ...] | None:
    """The output of each class of `there`; None unless `known` has each of them, under one name.

    >>> outputs_by_name(("cat", "dog", "fox"), ("fox", "cat"))
    (2, 0)
    """
    number = _numbers(known)
    found = tuple(number[name] for name in there if name in number)
    return found if len(found) == len(there) == len({*found}) else None


def match_classes(
    known: Sequence[str] | None, outputs: int, there: Sequence[str], where: object, data: str
) -> tuple[tuple[int, ...], str]:
    """(the output of each label of the data set, a line that says how the classes differ or "").

    `known`: names of the network's `outputs` outputs; None if unknown, when only the counts can be
    compared. `there`: the data set's names by label. ImageNet's WordNet ids and English names are
    equivalent. InputError for a name that the network does not know, or, without names, another
    count.
    """
    same = tuple(range(outputs))
    if known is None:
        if len(there) != outputs:
            raise InputError(f"{where}: trained for {outputs} classes, but {data} has {len(there)}")
        line = f"{where}: names no classes: the order of those of {data} is used"
        return same, line
    if tuple(there) == tuple(known):
        return same, ""
    number = _numbers(known)
    if unknown := [name for name in there if name not in number]:
        shown = ", ".join(repr(name[:40]) for name in unknown[:LISTED])
        shown += ", ..." if len(unknown) > LISTED else ""
        own = ", ".join(repr(name[:40]) for name in known[:LISTED])
        own += ", ..." if len(known) > LISTED else ""
        raise InputError(
            f"{where}: trained for {outputs} classes ({own}), and does not know {len(unknown)} of "
            f"the {len(there)} classes of {data}: {shown}"
        )
    found = tuple(number[name] for name in there)
    if len(set(found)) < len(found):
        raise InputError(f"{data}: has one class under two names")
    if found == same:
        return found, ""
    if len(found) < outputs:
        line = f"{data}: has {len(found)} of the {outputs} classes of {where}: scored among all"
        return found, f"{line} {outputs} outputs"
    return found, f"{data}: its classes are in another order than in {where}: matched by name"
