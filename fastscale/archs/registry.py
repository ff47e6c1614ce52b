"""Names to bases. A wrong name is answered with the names there are, the nearest first."""

import difflib
from collections.abc import Iterable
from functools import cache

from fastscale.archs.anynet import AnyNet
from fastscale.archs.bases import all_bases
from fastscale.archs.effnet import EffNet
from fastscale.errors import InputError


@cache
def _bases() -> dict[str, AnyNet | EffNet]:
    return {arch.name: arch for arch in all_bases()}


def base_names() -> list[str]:
    """The names of all base networks."""
    return list(_bases())


def nearest(name: str, known: Iterable[str]) -> str:
    """`known`, the nearest to `name` first, in one line."""
    name, known = name[:200], list(known)  # a text of megabytes would take for ever
    score = {k: difflib.SequenceMatcher(None, name.lower(), k).ratio() for k in known}
    return ", ".join(sorted(known, key=lambda k: (-score[k], known.index(k))))


def base_arch(name: str) -> AnyNet | EffNet:
    """The base network of that name; InputError with the known names, nearest first, otherwise.

    >>> base_arch("regnety-4gf").depths
    (2, 6, 16, 2)
    """
    try:
        return _bases()[name]
    except (KeyError, TypeError):
        raise InputError(
            f"no network is named {name!r}; there are, nearest first: {nearest(str(name), base_names())}"
        ) from None
