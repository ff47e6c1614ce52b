"""Finds bases and families by name: the built-in ones and those that users register.

The name of a base at another resolution ends in it: regnety-500mf-160px.
"""

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
_own: dict[str, Arch] = {}  # registered by the user
_SIZED = re.compile(r"(?P<base>.+)-(?P<pixels>[1-9]\d{1,3})px", re.ASCII)
_families: dict[str, type[Arch]] = {"AnyNet": AnyNet, "EffNet": EffNet}


@cache
def _bases() -> dict[str, Arch]:
    return {arch.name: arch for arch in all_bases()}


def base_names() -> list[str]:
    """The names of all base networks, registered ones last."""
    return [*_bases(), *_own]


def is_own(name: str) -> bool:
    """Whether the base of that name was registered by the user: others do not know it."""
    sized = _SIZED.fullmatch(name)
    return name in _own or bool(sized and not is_base(name, sized=False) and sized["base"] in _own)


def is_base(name: str, sized: bool = True) -> bool:
    """Whether a base network has that name; `sized`: at another resolution, too."""
    found = _SIZED.fullmatch(name) if sized else None
    return name in _bases() or name in _own or bool(found and is_base(found["base"], False))


def at_resolution(arch: Arch, pixels: int) -> Arch:
    """A base network at another resolution; its test resolution changes in proportion.

    InputError for a scaled network: its name fixes the resolution.

    >>> at_resolution(base_arch("regnety-4gf"), 160).test_resolution
    180
    """
    if pixels == arch.resolution:
        return arch
    if not is_base(arch.name, sized=False):
        raise InputError(
            f"{arch.name}: its name fixes its resolution; only that of a base network can be chosen"
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
    """The base network of that name; InputError with similar names for an unknown one.

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
    """Registers a network, so that its name can be used wherever a name is taken.

    It can then be counted, scaled, planned, timed, trained, recorded and released. InputError for
    an invalid name, the name of another network, and a network that cannot exist.

    >>> from dataclasses import replace
    >>> register_arch(replace(base_arch("regnety-tiny"), name="mine", depths=(1, 3, 2)))
    >>> base_arch("mine").depths
    (1, 3, 2)
    """
    check_arch(arch)
    # no dots: they begin a strategy or a recipe
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", arch.name):
        raise InputError(
            f"{arch.name!r} cannot name a base network: use lower-case letters, digits, - and _"
        )
    there = _bases().get(arch.name) or _own.get(arch.name)
    if there not in (None, arch):
        raise InputError(f"a network named {arch.name!r} exists already: choose another name")
    if there is None:
        _own[arch.name] = arch


@contextmanager
def registered(archs: Iterable[Arch]) -> Iterator[None]:
    """Registers these networks during the block. InputError as in `register_arch`."""
    before = dict(_own)
    try:
        for arch in archs:
            register_arch(arch)
        yield
    finally:
        _own.clear()
        _own.update(before)


def register_family(family: Family) -> Family:
    """Class decorator that registers a family, so that definitions of its networks can be read.

    A family is a frozen dataclass that derives from `Arch`, known by the name of its class.
    InputError if another class has that name.
    """
    there = _families.setdefault(family.__name__, family)
    if _origin(there) != _origin(family):
        raise InputError(f"a family named {family.__name__!r} exists already: choose another name")
    _families[family.__name__] = family  # a class defined again replaces the old, as in a notebook
    return family


def _origin(family: type[Arch]) -> tuple[str, str]:
    """The file and the name of a class: the same when a file is run again."""
    module = sys.modules.get(family.__module__)
    return str(getattr(module, "__file__", family.__module__)), family.__qualname__


def family_named(name: object, where: str) -> type[Arch]:
    """The class of a family; InputError, beginning with `where`, for an unknown one."""
    if isinstance(name, str) and name in _families:
        return _families[name]
    raise InputError(
        f"{where}: unknown family of networks {name!r:.80} (known: {', '.join(_families)}); "
        "import the module that registers it with register_family"
    )
