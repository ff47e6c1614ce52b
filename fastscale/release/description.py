"""What a checkpoint's header says: the network, its input, its classes, and the run that made it."""

import json
from dataclasses import dataclass, fields
from typing import Any

from fastscale.archs import Arch
from fastscale.common import parse_json
from fastscale.errors import InputError
from fastscale.scaling import arch_named, parse_run
from fastscale.training.checkpoint_io import is_channels, is_plain, is_texts

FORMAT_VERSION = 1
WEIGHTS = ("averaged", "raw", "imported")
FLOATS = {"float32": "F32", "float16": "F16"}
TEXTS = (
    "arch",
    "strategy",
    "weights",
    "dtype",
    "channel_order",
    "run",
    "data",
    "data_hash",
    "loader",
    "precision",
    "source",
    "licence",
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """`mean`, `std`: of R, G, B on the scale 0 to 255. `resolution`, `test_resolution`: pixels, as the arch has them.

    `recipe`: all its settings, as `Recipe.as_dict` gives them; with `loader` and `precision` they repeat the evaluation. None where a
    field does not apply: imported weights have a `source` instead of a run. InputError from `check` names the first field that is wrong.
    """

    arch: str
    num_classes: int
    resolution: int
    test_resolution: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: str
    dtype: str = "float32"
    channel_order: str = "RGB"
    strategy: str | None = None
    classes: tuple[str, ...] | None = None
    run: str | None = None
    seed: int | None = None
    recipe: dict[str, Any] | None = None
    data: str | None = None
    data_hash: str | None = None
    loader: str | None = None
    precision: str | None = None
    source: str | None = None
    licence: str | None = None
    format_version: int = FORMAT_VERSION

    @property
    def network(self) -> Arch:
        """The arch itself."""
        return arch_named(self.arch)

    def to_metadata(self) -> dict[str, str]:
        """Texts for the header: what is None is left out, what is no text is JSON. `format` is what other tools look for."""
        out = {"format": "pt"}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                out[field.name] = (
                    value if field.name in TEXTS else json.dumps(value, sort_keys=True)
                )
        return out

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], where: str) -> "Description":
        """The description in a header; InputError that begins with `where` if it is none, or an impossible one."""
        names = {f.name for f in fields(cls)}
        if "format_version" not in metadata or "arch" not in metadata:
            raise InputError(
                f"{where}: its header names no arch: not a checkpoint of fastscale; `fastscale checkpoint import` reads others'"
            )
        values: dict[str, Any] = {}
        for name, text in metadata.items():
            if name in names:
                try:
                    values[name] = text if name in TEXTS else parse_json(text, name, constants=True)
                except InputError:
                    raise InputError(f"{where}: {name} in its header is not JSON") from None
        version = values["format_version"]
        if type(version) is not int or version != FORMAT_VERSION:
            raise InputError(
                f"{where}: format version {str(version)[:80]}, this fastscale reads {FORMAT_VERSION}"
            )
        for name in ("mean", "std", "classes"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        try:
            found = cls(**values)
        except TypeError as error:
            raise InputError(f"{where}: its header lacks a field ({error})") from None
        check(found, where)
        return found


def describe(arch: Arch, **more: Any) -> Description:
    """A checked description with what follows from the arch."""
    own = {
        "arch": arch.name,
        "resolution": arch.resolution,
        "test_resolution": arch.test_resolution,
    }
    found = Description(**own, strategy=parse_run(arch.name).strategy, **more)  # type: ignore[arg-type]
    check(found, arch.name)
    return found


def check(d: Description, where: str) -> None:
    """InputError for the first field that cannot be."""

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise InputError(f"{where}: {what}")

    for name in TEXTS:
        value = getattr(d, name)
        need(
            value is None or isinstance(value, str),
            f"{name} must be a text, not {str(value)[:80]!r}",
        )
    try:
        arch = arch_named(d.arch)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    for name in ("resolution", "test_resolution"):
        need(
            getattr(d, name) == getattr(arch, name),
            f"{name} {getattr(d, name)!r} is not that of {d.arch}, {getattr(arch, name)}",
        )
    need(
        type(d.num_classes) is int and 1 <= d.num_classes <= 1_000_000,
        f"num_classes {d.num_classes!r}: wanted 1 to 1,000,000",
    )
    for name in ("mean", "std"):
        value, least = getattr(d, name), 0.0 if name == "mean" else 1e-3
        fits = isinstance(value, tuple) and is_channels(value, least)
        need(
            fits,
            f"{name} must be three numbers, of R, G, B from {least:g} to 255, not {str(value)[:80]}",
        )
    if d.classes is not None:
        need(
            isinstance(d.classes, tuple)
            and is_texts(d.classes)
            and len(d.classes) == d.num_classes,
            f"classes must be {d.num_classes} names",
        )
    need(d.weights in WEIGHTS, f"weights must be one of {', '.join(WEIGHTS)}, not {d.weights!r}")
    need(d.dtype in FLOATS, f"dtype must be one of {', '.join(FLOATS)}, not {d.dtype!r}")
    need(
        d.channel_order == "RGB",
        f"channel order {d.channel_order!r}: fastscale's networks take RGB",
    )
    need(
        d.recipe is None or (isinstance(d.recipe, dict) and is_plain(d.recipe)),
        "recipe must be an object of settings",
    )
    need(d.seed is None or type(d.seed) is int, f"seed must be a whole number, not {d.seed!r}")
