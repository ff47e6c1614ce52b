"""Converts an arch to plain values, for records, checkpoints and files, and back.

    {"kind": "AnyNet", "name": "mine", "resolution": 224, "depths": [1, 4, 9, 3], ...}

`kind` is the class of the family; `kind: RegNet` takes the parameters of a RegNet. Definitions are
untrusted input: types and bounds are checked, and no code is run.
"""

import types
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from fastscale.archs.anynet import AnyNet
from fastscale.archs.arch import Arch, check_arch
from fastscale.archs.registry import family_named
from fastscale.archs.regnet import RegNet
from fastscale.errors import InputError

MOST_STAGES = 100
MOST_TEXT = 200  # characters


def definition(arch: Arch) -> dict[str, Any]:
    """The definition of `arch`: numbers, texts and lists of these."""
    values = {f.name: getattr(arch, f.name) for f in fields(arch)}  # type: ignore[arg-type]
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return {"kind": type(arch).__name__, **plain}


def from_definition(content: object, where: str) -> Arch:
    """The arch of a definition. InputError, beginning with `where`, for an invalid definition, an
    unknown family and a network that cannot exist."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{where}: a network's definition has keys and values, such as kind, name")
    values = {key: value for key, value in content.items() if key != "kind"}
    try:
        if content.get("kind") == "RegNet":
            arch = _regnet(values, where)
        else:
            family = family_named(content.get("kind"), where)
            arch = family(**_fitting(family, values, where))
        check_arch(arch)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(where) else f"{where}: {text}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise InputError(f"{where}: not a network's definition ({error!s:.120})") from None
    return arch


def _regnet(values: dict[str, Any], where: str) -> Arch:
    own = {f.name for f in fields(RegNet)}
    regnet = RegNet(**_fitting(RegNet, {k: v for k, v in values.items() if k in own}, where))
    rest = _fitting(AnyNet, {k: v for k, v in values.items() if k not in own}, where)
    rest.setdefault("test_resolution", round(rest.get("resolution", 224) / 1.75) * 2)
    return regnet.to_anynet(**rest)


def _fitting(kind: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """The values, with lists as tuples; InputError for the first unknown name or wrong type."""
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise InputError(
            f"{where}: {kind.__name__} has no {unknown[0]!r:.80}; it has {', '.join(sorted(known))}"
        )
    hints = get_type_hints(kind)
    out = {}
    for key, value in values.items():
        out[key] = tuple(value) if isinstance(value, list) else value
        if not _is(out[key], hints[key]):
            raise InputError(f"{where}: {key} of {kind.__name__} cannot be {value!r:.80}")
    return out


def _is(value: Any, hint: Any) -> bool:
    """Whether a plain value has a field's type."""
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        fits = isinstance(value, tuple) and len(value) <= MOST_STAGES
        return fits and all(_is(v, kind) for v in value)
    if get_origin(hint) is types.UnionType:
        return any(_is(value, part) for part in get_args(hint))
    if hint is str:
        return isinstance(value, str) and len(value) <= MOST_TEXT
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint and hint in (int, bool, types.NoneType)
