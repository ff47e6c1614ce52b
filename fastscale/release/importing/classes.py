"""The 1000 classes of ImageNet, in the order of the outputs of every network trained on it: sorted by WordNet id.

imagenet_classes.csv: names from WordNet 3.0 (copyright 2006 Princeton University; its licence permits use, copies and changes for any
purpose), in the edition that timm carries (Apache-2.0), the two that occur twice told apart by their second meaning.
"""

import csv
from functools import cache
from pathlib import Path

from fastscale.errors import InputError

FILE = Path(__file__).with_name("imagenet_classes.csv")


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


def outputs_of(wnids: tuple[str, ...]) -> tuple[int, ...]:
    """The output of each WordNet id (a folder name of ImageNet or Imagenette); InputError for one that is not ImageNet's.

    >>> outputs_of(("n01440764", "n15075141"))
    (0, 999)
    """
    number = {wnid: i for i, wnid in enumerate(imagenet_wnids())}
    for wnid in wnids:
        if wnid not in number:
            raise InputError(
                f"{wnid!r} is no class of ImageNet; its classes are WordNet ids, as n01440764"
            )
    return tuple(number[wnid] for wnid in wnids)
