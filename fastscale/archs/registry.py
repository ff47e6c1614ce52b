"""Names to bases, and families by name: those that are here, and those that a user registers. A base
at another resolution has that behind its name: regnety-500mf-160px."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from fastscale.archs.anynet import AnyNet
from fastscale.archs.arch import Arch, check_arch
from fastscale.archs.bases import all_bases
from fastscale.archs.effnet import EffNet
from fastscale.common import did_you_mean
from fastscale.errors import InputError

Family = TypeVar("Family", bound=type[Arch])
_own: dict[str, Arch] = {}  # bases of one's own, by name
_SIZED = re.compile(r"(?P<base>.+)-(?P<pixels>[1-9]\d{1,3})px", re.ASCII)
_families: dict[str, type[Arch]] = {"AnyNet": AnyNet, "EffNet": EffNet}


@cache
def _bases() -> dict[str, Arch]:
    return {arch.name: arch for arch in all_bases()}


def base_names() -> list[str]:
    """The names of all base networks, one's own last."""
    return [*_bases(), *_own]


def is_own(name: str) -> bool:
    """Whether the base of that name was registered, so that it is not known elsewhere."""
    sized = _SIZED.fullmatch(name)
    return name in _own or bool(sized and not is_base(name, sized=False) and sized["base"] in _own)


def is_base(name: str, sized: bool = True) -> bool:
    """Whether a base network has that name; `sized`: or that of one at another resolution."""
    found = _SIZED.fullmatch(name) if sized else None
    return name in _bases() or name in _own or bool(found and is_base(found["base"], False))


def at_resolution(arch: Arch, pixels: int) -> Arch:
    """A base network at another resolution, test images in proportion. InputError for one that is
    scaled, whose strategy says its resolution.

    >>> at_resolution(base_arch("regnety-4gf"), 160).test_resolution
    180
    """
    if pixels == arch.resolution:
        return arch
    if not is_base(arch.name, sized=False):
        raise InputError(
            f"{arch.name}: its name says its resolution; that of a base network can be chosen"
        )
    test = round(arch.test_resolution * pixels / arch.resolution / 4) * 4
    sized = arch.with_(
        name=f"{arch.name}-{pixels}px",
        resolution=pixels,
        test_resolution=max(pixels, test),
    )
    check_arch(sized)
    return sized


def base_arch(name: str) -> Arch:
    """The base network of that name; InputError with the nearest names otherwise.

    >>> base_arch("regnety-4gf").depths
    (2, 6, 16, 2)
    """
    try:
        sized = None if is_base(name, sized=False) else _SIZED.fullmatch(name)
        if sized:
            base, pixels = base_arch(sized["base"]), int(sized["pixels"])
            if pixels == base.resolution:  # one network, one name
                raise InputError(f"{name} is {base.name} itself: write {base.name}")
            return at_resolution(base, pixels)
        return _bases().get(name) or _own[name]
    except (KeyError, TypeError):
        near = did_you_mean(name, base_names(), see="fastscale list")
        raise InputError(f"no network is named {name!r:.80}; {near}") from None


def register_arch(arch: Arch) -> None:
    """Makes a network of one's own known by its name, wherever a name is taken: it is then counted,
    scaled, planned, timed, trained, recorded and released as any other.

    InputError for a name that is no name or another network's, and for a network that cannot be.

    >>> from dataclasses import replace
    >>> register_arch(replace(base_arch("regnety-tiny"), name="mine", depths=(1, 3, 2)))
    >>> base_arch("mine").depths
    (1, 3, 2)
    """
    check_arch(arch)
    if not re.fullmatch(
        r"[a-z0-9][a-z0-9_-]{0,59}", arch.name
    ):  # a dot begins a strategy or recipe
        raise InputError(
            f"{arch.name!r} cannot name a base network: use lower-case letters, digits, - and _"
        )
    there = _bases().get(arch.name) or _own.get(arch.name)
    if there not in (None, arch):
        raise InputError(f"a network is named {arch.name!r} already: give yours another name")
    if there is None:
        _own[arch.name] = arch


@contextmanager
def registered(archs: Iterable[Arch]) -> Iterator[None]:
    """These networks are known by their names in the block. InputError as above."""
    before = dict(_own)
    try:
        for arch in archs:
            register_arch(arch)
        yield
    finally:
        _own.clear()
        _own.update(before)


def register_family(family: Family) -> Family:
    """Makes a family of one's own (a frozen dataclass that derives from `Arch`) known by its class's
    name, so that definitions of its networks can be read. A decorator; InputError for a name that
    another class has.
    """
    there = _families.setdefault(family.__name__, family)
    if _origin(there) != _origin(family):
        raise InputError(f"a family is named {family.__name__!r} already: give yours another name")
    _families[family.__name__] = family  # defined once more, as in a notebook
    return family


def _origin(family: type[Arch]) -> tuple[str, str]:
    """The file and the name of a class: it stays the same where a file is run once more."""
    module = sys.modules.get(family.__module__)
    return str(getattr(module, "__file__", family.__module__)), family.__qualname__


def family_named(name: object, where: str) -> type[Arch]:
    """The class of a family; InputError that begins with `where` for one that is not known here."""
    if isinstance(name, str) and name in _families:
        return _families[name]
    raise InputError(
        f"{where}: no family of networks is called {name!r:.80} here (known: {', '.join(_families)}); "
        "one of somebody's own is known once its module has called register_family"
    )
