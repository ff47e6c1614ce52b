"""The description in a checkpoint's header: the network, its input, classes and run."""

import json
from dataclasses import fields
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from fastscale.archs import Arch
from fastscale.archs.names import NetworkName
from fastscale.common import parse_json
from fastscale.errors import InputError
from fastscale.release.manifest import Name
from fastscale.scaling import network_of, own_definition
from fastscale.training.values import is_channels, is_plain
from fastscale.typed import STRICT, checked, made

FORMAT_VERSION = 1
KEY = "fastscale"  # the metadata key of the description, which is JSON
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


THREE = "three numbers, of R, G, B, to 255"
is_std = partial(is_channels, least=1e-3)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Description:
    """The description of a checkpoint; fields that do not apply are None.

    `mean`, `std`: of R, G, B from 0 to 255. `resolution`, `test_resolution`: pixels, the arch's.
    `recipe`: all its settings (`Recipe.as_dict`); with `loader` and `precision` they repeat the
    evaluation. `definition`: of a user's network, which its name does not define. `source`: where
    imported weights are from; these have no run.
    """

    arch: Name
    num_classes: Annotated[int, Field(ge=1, le=1_000_000)]
    resolution: int
    test_resolution: int
    mean: Annotated[tuple[float, ...], Field(strict=False), checked(is_channels, THREE)]
    std: Annotated[tuple[float, ...], Field(strict=False), checked(is_std, THREE)]
    weights: Literal["averaged", "raw", "imported"]
    dtype: Literal["float32", "float16"] = "float32"
    channel_order: Annotated[
        str, checked("RGB".__eq__, "RGB: fastscale's networks take no other")
    ] = "RGB"
    strategy: str | None = None
    classes: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    run: Name | None = None
    seed: int | None = None
    recipe: Annotated[dict[str, Any], checked(is_plain, "settings by name")] | None = None
    data: str | None = None
    data_hash: str | None = None
    loader: str | None = None
    precision: str | None = None
    source: str | None = None
    licence: str | None = None
    definition: dict[str, Any] | None = None
    format_version: int = FORMAT_VERSION

    @model_validator(mode="after")
    def _agree(self) -> Self:
        arch = self.network
        for name in ("resolution", "test_resolution"):
            if (found := getattr(self, name)) != (right := getattr(arch, name)):
                raise ValueError(f"{name} {found} is not that of {self.arch}, {right}")
        if self.classes is not None and len(self.classes) != self.num_classes:
            raise ValueError(f"classes must be {self.num_classes} names")
        return self

    @property
    def network(self) -> Arch:
        """The arch."""
        return network_of(self.arch, self.definition)

    def to_json(self) -> str:
        """JSON for the header, without fields that are None."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps({k: v for k, v in values.items() if v is not None}, sort_keys=True)

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], where: str) -> "Description":
        """The description in a header. InputError for a missing or invalid one."""
        if KEY in metadata:
            found = parse_json(metadata[KEY], f"{where}: its header", constants=True)
            found = found if isinstance(found, dict) else {}
        else:
            found = _first_layout(metadata, where)
        if "format_version" not in found or "arch" not in found:
            raise InputError(
                f"{where}: its header names no arch: not a checkpoint of fastscale; "
                "`fastscale checkpoint import` reads other projects'"
            )
        version = found["format_version"]
        if type(version) is not int or version != FORMAT_VERSION:
            raise InputError(
                f"{where}: format version {str(version)[:80]}, "
                f"this fastscale reads {FORMAT_VERSION}"
            )
        names = {f.name for f in fields(cls)}
        return made(cls, {k: v for k, v in found.items() if k in names}, where)


def _first_layout(metadata: dict[str, str], where: str) -> dict[str, Any]:
    """The fields in the oldest released files: one metadata key each, JSON if not text."""
    found: dict[str, Any] = {}
    names = {f.name for f in fields(Description)}
    for name, text in metadata.items():
        if name not in names:
            continue
        try:
            found[name] = text if name in TEXTS else parse_json(text, name, constants=True)
        except InputError:
            raise InputError(f"{where}: {name} in its header is not JSON") from None
    return found


def describe(arch: Arch, **more: Any) -> Description:
    """A checked description, with the fields that follow from the arch."""
    derived: dict[str, Any] = {
        "arch": arch.name,
        "resolution": arch.resolution,
        "test_resolution": arch.test_resolution,
        "strategy": NetworkName.parse(arch.name, known=False).strategy,
        "definition": own_definition(arch),
    }
    return made(Description, derived | more, arch.name)
