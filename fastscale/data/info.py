"""The JSON beside a `.beton`: what it was made of, how, and what it must look like.

Version 2 knows labels, stored form and content. Files of version 1 are still read; `data write`
brings them up to date (upgrade.py).
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
# images by how they are stored: byte by byte, raw pixels, as a new JPEG; shrunk ones are counted
# again; unproven: of a version 1 store whose source was gone
Counts = Annotated[dict[str, Count], checked(lambda v: set(v) == set(COUNTS), ", ".join(COUNTS))]

if TYPE_CHECKING:
    Form = dict[str, Any]
else:

    class Form(TypedDict):
        """How images were to be stored."""

        __pydantic_config__ = STRICT
        max_resolution: Count | None
        jpeg_quality: Count | None
        raw_share: Annotated[float, Field(ge=0, le=1)]
        limit: Count | None


@dataclass(frozen=True, config=STRICT)
class BetonInfo:
    """What is known of one `.beton`."""

    source: Text
    split: Annotated[str, checked(("train", "val").__contains__, "train or val")]
    classes: Names
    count: Count
    class_counts: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    settings: Form
    mean: Annotated[tuple[Channel, ...], THREE]  # of R, G, B, 0..255
    std: Annotated[tuple[Spread, ...], THREE]
    list_digest: Digest  # sha256 of the ordered list of the source files' sha256
    stamp: Text  # cheap witness that the source files are still the same ones
    skipped: Count  # broken images left out
    bytes: Count  # size of the .beton
    index_sha256: Digest  # of its header, metadata and table
    command: Text  # writes it again
    labels_digest: Digest = ""  # sha256 of the ordered labels; the fields from here on: version 2
    counts: Counts = field(default_factory=dict)
    content_sha256: Digest = ""  # of the pages of image data
    modified_ns: Count = 0  # the .beton's time of change; with another one its content is hashed
    folders: Names = ()  # class folders and those in them, where the source has such
    folders_stamp: Text = ""  # of their times of change
    place: Text = ""  # sha256 of the source's archive, where it has one
    version: int = INFO_VERSION

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.class_counts) != len(self.classes) or sum(self.class_counts) != self.count:
            raise ValueError("class_counts do not belong to classes and count")
        return self

    def text(self) -> str:
        """As it lies in the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @property
    def stored(self) -> dict[str, Any]:
        """How pixels were changed by storing; {} where they are the source's own."""
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
        raise ValueError("not of a version that is read here")
    wanted = names - SINCE_2 if found["version"] == 1 else names
    if set(found) != wanted:
        raise ValueError(f"its fields are not those of version {found['version']}")
    return made(BetonInfo, found)


def unreadable(path: Path, error: Exception, advice: str) -> InputError:
    """What is said of a description that cannot be read."""
    reason = str(error).removeprefix(f"{path}: ")
    return InputError(f"{path}: not the description of a .beton file ({reason}){advice}")
