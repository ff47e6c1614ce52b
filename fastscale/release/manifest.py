"""checkpoints/manifest.json: what is released, its addresses and recorded errors. Untrusted input.

Beside it are records.jsonl (the records that entries name), a card for each entry, and the files
that are small enough to be committed.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from fastscale.archs.names import canonical
from fastscale.common import did_you_mean, parse_json, plain, read_text
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.scaling import arch_named
from fastscale.typed import STRICT, Count, Percent, Text, Texts, checked, made

SCHEMA = 1
OPTIONAL = {"arguments", "superseded"}  # fields that older manifests lack
SUFFIX = ".safetensors"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.=+_-]{0,199}-(?P<hash>[0-9a-f]{8})")
NAME = "<arch>_<data>-<8 hex digits>, of letters, digits and . = + _ -, and never a path"
# fields that must equal those of the released run's record, and of the file's header
AS_RECORDED = ("arch", "num_classes", "resolution", "flops", "params", "acts", "data", "data_hash",
               "run", "recipe", "epochs")  # fmt: skip
AS_IN_FILE = ("arch", "num_classes", "resolution", "test_resolution", "weights", "dtype", "data",
              "data_hash", "run", "seed", "licence")  # fmt: skip
# of a network or a run; reads old spellings (alpha=2/3)
Name = Annotated[Text, AfterValidator(canonical)]
TOLERANCE_LIMIT = 1.0  # percentage points: more would let a wrong file pass


class ErrorOf(TypedDict):
    """An error in %: the file's, and mean, sample std (None for one run) and seeds of `n` runs."""

    __pydantic_config__ = STRICT  # type: ignore[misc]
    value: Percent
    n: Count
    mean: Percent
    std: Percent | None
    seeds: list[int]


if TYPE_CHECKING:
    Errors = dict[str, dict[str, Any]]
else:

    class Errors(TypedDict):
        """Errors by name."""

        __pydantic_config__ = STRICT
        top1_error: ErrorOf
        top5_error: NotRequired[ErrorOf]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Entry:
    """One released checkpoint; fields that do not apply are None.

    Counts are at `resolution` and `num_classes`; flops are multiply-adds. `tolerance`: percentage
    points by which an evaluation elsewhere may differ. `date`: of the released run's record.
    `arguments`: for `fastscale fit --run`, besides run and seed, to repeat the training.
    `superseded`: the artifact whose networks replace it; it still loads.
    """

    name: Annotated[str, checked(lambda v: is_name(v), NAME)]
    sha256: Annotated[str, checked(re.compile("[0-9a-f]{64}").fullmatch, "64 hex digits")]
    bytes: Count
    urls: Annotated[Texts, checked(lambda v: all(map(is_url, v)), "a list of http(s) addresses")]
    arch: Name
    num_classes: Count
    resolution: Count
    test_resolution: Count
    flops: Count
    params: Count
    acts: Count
    weights: Literal["averaged", "raw", "imported"]
    dtype: Literal["float32", "float16"]
    data: Text
    data_hash: Text | None
    val_images: Count | None
    run: Name
    recipe: Text
    epochs: Count
    seed: int
    errors: Errors
    tolerance: Annotated[float, Field(ge=0, le=TOLERANCE_LIMIT)]
    record_ids: Texts
    commit: Text | None
    date: Text
    licence: Text
    arguments: Texts = ()
    superseded: Text | None = None

    @property
    def file(self) -> str:
        """The name of its file."""
        return self.name + SUFFIX

    @property
    def short(self) -> str:
        """The name without its hash, which loads the newest of this name."""
        return self.name[:-9]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name, error in self.errors.items():
            if len(error["seeds"]) != error["n"] or (error["std"] is None) != (error["n"] == 1):
                raise ValueError(
                    f"errors.{name} must have a seed for each of n runs, and a std unless n is 1"
                )
        runs = self.errors["top1_error"]["n"]
        if self.weights != "imported" and len(self.record_ids) != runs:
            raise ValueError(
                f"record_ids must be as many as the runs of its top1_error, {runs}, "
                f"not {len(self.record_ids)}"
            )
        if not self.name.endswith(self.sha256[:8]):
            raise ValueError(
                f"name {self.name!r} must end with the first 8 digits of its sha256, "
                f"{self.sha256[:8]}"
            )
        return self


def is_name(text: object) -> bool:
    """Whether a text can be a released name, which must not lead out of its folder."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and ".." not in text


def is_url(text: object) -> bool:
    """Whether a text is an http or https address; no other scheme is ever opened."""
    try:
        return (
            isinstance(text, str)
            and urlsplit(text).scheme in ("http", "https")
            and bool(urlsplit(text).hostname)
            and plain(text) == text
        )
    except ValueError:
        return False


def read_manifest(path: str | os.PathLike) -> list[Entry]:
    """The entries of a manifest, [] without a file. InputError names file, entry and field."""
    path = Path(path)
    try:
        content = parse_json(read_text(path), path, constants=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return parse_manifest(content, str(path))


def parse_manifest(content: object, where: str) -> list[Entry]:
    """The entries in a manifest's JSON."""
    if (
        not isinstance(content, dict)
        or set(content) != {"schema", "checkpoints"}
        or not isinstance(content["checkpoints"], list)
    ):
        raise InputError(f"{where}: a manifest is an object of 'schema' and 'checkpoints'")
    if type(content["schema"]) is not int or content["schema"] != SCHEMA:
        raise InputError(
            f"{where}: manifest schema {str(content['schema'])[:80]}, this fastscale reads {SCHEMA}"
        )
    entries: list[Entry] = []
    for number, item in enumerate(content["checkpoints"], start=1):
        label = f"{where}, checkpoint {number}"
        if not isinstance(item, dict):
            raise InputError(f"{label}: an entry is an object")
        label += f" ({str(item.get('name', 'no name'))[:80]!r})"
        entry = made(Entry, item, label)
        if wrong := _wrong_counts(entry):
            raise InputError(f"{label}: {wrong}")
        if any(entry.name == e.name for e in entries):
            raise InputError(f"{label}: listed twice")
        entries.append(entry)
    return entries


def _wrong_counts(entry: Entry) -> str | None:
    """A message if a count is not the network's; None if all are, or if it is a user's network."""
    try:
        arch = arch_named(entry.arch)
    except InputError:
        return None
    for count, right in vars(complexity(arch, entry.resolution, entry.num_classes)).items():
        if getattr(entry, count) != right:
            return (
                f"{count} must be {right:,}, as {entry.arch} has at {entry.resolution} px with "
                f"{entry.num_classes} classes, not {getattr(entry, count):,}"
            )
    return None


def manifest_text(entries: list[Entry]) -> str:
    """The manifest's text, the same for the same entries."""
    ordered = [
        {k: v for k, v in asdict(e).items() if v or k not in OPTIONAL}
        for e in sorted(entries, key=lambda e: e.name)
    ]
    content = {"schema": SCHEMA, "checkpoints": ordered}
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def current_first(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in their order, superseded ones last."""
    return sorted(entries, key=lambda entry: entry.superseded is not None)


def find(name: str, entries: list[Entry]) -> Entry | None:
    """The entry of a full name, or the newest of a name without hash, or None."""
    name = canonical(name.removesuffix(SUFFIX))
    fits = [e for e in entries if name in (canonical(e.name), canonical(e.short))]
    return max(fits, key=lambda e: (canonical(e.name) == name, e.date, e.name)) if fits else None


def unknown(name: str, entries: list[Entry]) -> InputError:
    """The error for an unknown name."""
    near = did_you_mean(name, [e.name for e in entries], see="fastscale checkpoint list")
    return InputError(f"no checkpoint is named {name!r} (a file is given by its path); {near}")
