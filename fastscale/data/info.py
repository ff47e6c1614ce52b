"""The JSON beside a `.beton`: its source, how it was written, and its expected content.

Version 2 added labels, stored form and content. Files of version 1 are still read; `data write`
updates them (upgrade.py).
"""

import json
from dataclasses import asdict, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from fastscale.common import read_json
from fastscale.errors import InputError
from fastscale.typed import STRICT, checked, made

INFO_VERSION = 2
MAX_CLASSES = 1_000_000
SINCE_2 = {
    "labels_digest",
    "counts",
    "content_sha256",
    "modified_ns",
    "folders",
    "folders_stamp",
    "place",
}


Text = Annotated[str, Field(max_length=100_000)]
Count = Annotated[int, Field(ge=0, le=2**63)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Channel = Annotated[float, Field(ge=0, le=255)]
THREE = Field(strict=False, min_length=3, max_length=3)
Spread = Annotated[float, Field(ge=1e-3, le=255)]
Names = Annotated[
    tuple[str, ...],
    Field(strict=False, max_length=MAX_CLASSES),
    checked(lambda names: len(set(names)) == len(names), "different texts"),
]


COUNTS = ("kept", "raw", "encoded", "shrunk", "unproven")
# counts of images stored byte for byte, as raw pixels, or as a new JPEG. Shrunk images are counted
# again. Unproven: from a store of version 1 whose source was gone
Counts = Annotated[dict[str, Count], checked(lambda v: set(v) == set(COUNTS), ", ".join(COUNTS))]

if TYPE_CHECKING:
    Form = dict[str, Any]
else:

    class Form(TypedDict):
        """The settings of storing."""

        __pydantic_config__ = STRICT
        max_resolution: Count | None
        jpeg_quality: Count | None
        raw_share: Annotated[float, Field(ge=0, le=1)]
        limit: Count | None


@dataclass(frozen=True, config=STRICT)
class BetonInfo:
    """The description of one `.beton`."""

    source: Text
    split: Annotated[str, checked(("train", "val").__contains__, "train or val")]
    classes: Names
    count: Count
    class_counts: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    settings: Form
    mean: Annotated[tuple[Channel, ...], THREE]  # of R, G, B, 0..255
    std: Annotated[tuple[Spread, ...], THREE]
    list_digest: Digest  # sha256 of the ordered list of the source files' sha256
    stamp: Text  # changes when the source files do
    skipped: Count  # broken images left out
    bytes: Count  # size of the .beton
    index_sha256: Digest  # of its header, metadata and table
    command: Text  # the command that rewrites it
    labels_digest: Digest = ""  # sha256 of the ordered labels; the fields from here on: version 2
    counts: Counts = field(default_factory=dict)
    content_sha256: Digest = ""  # of the pages of image data
    modified_ns: Count = 0  # modification time of the .beton; if it differs, content is hashed
    folders: Names = ()  # class folders and their subfolders, if the source has them
    folders_stamp: Text = ""  # of their modification times
    place: Text = ""  # sha256 of the source's archive, if it has one
    version: int = INFO_VERSION

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.class_counts) != len(self.classes) or sum(self.class_counts) != self.count:
            raise ValueError("class_counts do not belong to classes and count")
        return self

    def text(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @property
    def stored(self) -> dict[str, Any]:
        """How storing changed pixels; {} if they are the source's."""
        if not any(self.counts.get(k) for k in ("encoded", "shrunk", "unproven")):
            return {}
        form = {k: self.settings[k] for k in ("max_resolution", "jpeg_quality", "raw_share")}
        return {**form, "unproven": True} if self.counts.get("unproven") else form


def info_path(path: Path) -> Path:
    """train.beton -> train.json"""
    return path.with_suffix(".json")


def parse_info(path: Path) -> BetonInfo:
    """The description at `path`, every field checked. ValueError (InputError) or OSError."""
    found = read_json(path)
    names = {f.name for f in fields(BetonInfo)}
    if not isinstance(found, dict) or found.get("version") not in (1, INFO_VERSION):
        raise ValueError("of an unknown version")
    wanted = names - SINCE_2 if found["version"] == 1 else names
    if set(found) != wanted:
        raise ValueError(f"its fields differ from those of version {found['version']}")
    return made(BetonInfo, found)


def unreadable(path: Path, error: Exception, advice: str) -> InputError:
    """The error for a description that cannot be read."""
    reason = str(error).removeprefix(f"{path}: ")
    return InputError(f"{path}: not the description of a .beton file ({reason}){advice}")
