"""checkpoints/manifest.json: what is released, where it is served, and the errors that its records give it. Read as untrusted input.

Beside it lie records.jsonl (the records that entries name), a card for each entry, and those files that are small enough to be committed.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastscale.archs.registry import nearest
from fastscale.common import parse_json, plain, read_text
from fastscale.errors import InputError
from fastscale.release.description import FLOATS, WEIGHTS
from fastscale.training.checkpoint_io import is_number

SCHEMA = 1
OPTIONAL = {"arguments"}  # fields that older manifests lack
SUFFIX = ".safetensors"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.=+_-]{0,199}-(?P<hash>[0-9a-f]{8})")
_ERROR = {"value", "n", "mean", "std", "seeds"}
ERRORS = ("top1_error", "top5_error")
TOLERANCE_LIMIT = 1.0  # percentage points: more would let a wrong file pass


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One released checkpoint. Counts at `resolution` and `num_classes`, flops are multiply-adds.

    `errors`: by name, in %: of this file (`value`), and mean, sample std (None for a single run) and seeds of all `n` finished runs.
    `tolerance`: percentage points that an evaluation elsewhere may differ. `date`: of the released run's record. None where a field does
    not apply. `arguments`: what `fastscale fit --run` needs besides run and seed to train the same.
    """

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...]
    arch: str
    num_classes: int
    resolution: int
    test_resolution: int
    flops: int
    params: int
    acts: int
    weights: str
    dtype: str
    data: str
    data_hash: str | None
    val_images: int | None
    run: str
    recipe: str
    epochs: int
    seed: int
    errors: dict[str, dict[str, Any]]
    tolerance: float
    record_ids: tuple[str, ...]
    commit: str | None
    date: str
    licence: str
    arguments: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's name."""
        return self.name + SUFFIX

    @property
    def short(self) -> str:
        """The name without its hash: it stands for the newest of these."""
        return self.name[:-9]

    def __post_init__(self) -> None:
        for name in ("urls", "record_ids", "arguments"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        check(self)


def check(e: Entry) -> None:
    """InputError that names the first field that is wrong, and what would be right."""
    whole = (
        "bytes",
        "num_classes",
        "resolution",
        "test_resolution",
        "flops",
        "params",
        "acts",
        "epochs",
    )
    rules: dict[str, tuple[Callable[[Any], bool], str]] = {
        "name": (
            lambda v: is_name(v),
            "<arch>_<data>-<8 hex digits>, of letters, digits and . = + _ -, and never a path",
        ),
        "sha256": (lambda v: _text(v) and bool(re.fullmatch(r"[0-9a-f]{64}", v)), "64 hex digits"),
        "urls": (
            lambda v: isinstance(v, tuple) and all(map(is_url, v)),
            "a list of http(s) addresses",
        ),
        "weights": (lambda v: _text(v) and v in WEIGHTS, f"one of {', '.join(WEIGHTS)}"),
        "dtype": (lambda v: _text(v) and v in FLOATS, f"one of {', '.join(FLOATS)}"),
        "errors": (
            _errors,
            "top1_error and perhaps top5_error: value, n, mean, std (null for n 1) in %, a seed for each of n",
        ),
        "tolerance": (
            lambda v: is_number(v, 0, TOLERANCE_LIMIT),
            f"percentage points from 0 to {TOLERANCE_LIMIT:g}",
        ),
        "arguments": (
            lambda v: isinstance(v, tuple) and len(v) <= 100 and all(map(_text, v)),
            "a list of texts",
        ),
        "record_ids": (
            lambda v: isinstance(v, tuple) and all(map(_text, v)),
            "a list of records' ids",
        ),
        "seed": (lambda v: type(v) is int, "a whole number"),
        "val_images": (
            lambda v: v is None or (type(v) is int and v > 0),
            "a whole number above 0, or null",
        ),
        **{
            n: (lambda v: type(v) is int and 0 < v < 1 << 62, "a whole number above 0")
            for n in whole
        },
        **{n: (_text, "a text") for n in ("arch", "data", "run", "recipe", "date", "licence")},
        **{n: (lambda v: v is None or _text(v), "a text or null") for n in ("data_hash", "commit")},
    }
    for name, (holds, right) in rules.items():
        if not holds(getattr(e, name)):
            raise InputError(f"{name} must be {right}, not {str(getattr(e, name))[:80]!r}")
    if e.weights != "imported" and len(e.record_ids) != (n := e.errors["top1_error"]["n"]):
        raise InputError(
            f"record_ids must be as many as the runs of its top1_error, {n}, not {len(e.record_ids)}"
        )
    if not e.name.endswith(e.sha256[:8]):
        raise InputError(
            f"name {e.name!r} must end with the first 8 digits of its sha256, {e.sha256[:8]}"
        )


def is_name(text: object) -> bool:
    """Whether a text can be a released name: it is joined to a folder, so it must not lead out of it."""
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and ".." not in text


def is_url(text: object) -> bool:
    """Whether it is an http or https address; no other scheme is ever opened."""
    try:
        return (
            isinstance(text, str)
            and urlsplit(text).scheme in ("http", "https")
            and bool(urlsplit(text).hostname)
            and plain(text) == text
        )
    except ValueError:
        return False


def _text(value: object) -> bool:
    one_line = isinstance(value, str) and bool(value.strip()) and not {"\n", "\t"} & set(value)
    return one_line and len(value) <= 1000 and plain(value) == value  # type: ignore[arg-type]


def _errors(value: object) -> bool:
    if not isinstance(value, dict) or "top1_error" not in value or not set(value) <= set(ERRORS):
        return False
    return all(isinstance(e, dict) and set(e) == _ERROR and _error(**e) for e in value.values())


def _error(value: object, n: object, mean: object, std: object, seeds: object) -> bool:
    counted = (
        type(n) is int
        and n > 0
        and isinstance(seeds, list)
        and len(seeds) == n
        and all(type(s) is int for s in seeds)
    )
    spread = std is None if n == 1 else is_number(std, 0, 100)
    return counted and spread and is_number(value, 0, 100) and is_number(mean, 0, 100)


def read_manifest(path: str | os.PathLike) -> list[Entry]:
    """The entries of a manifest, [] where there is no file. InputError in one line that names file, entry and field."""
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
    names = {f.name for f in fields(Entry)}
    for number, item in enumerate(content["checkpoints"], start=1):
        label = f"{where}, checkpoint {number}"
        if not isinstance(item, dict):
            raise InputError(f"{label}: an entry is an object")
        label += f" ({str(item.get('name', 'no name'))[:80]!r})"
        for what, wrong in (
            ("unknown", set(item) - names),
            ("missing", names - set(item) - OPTIONAL),
        ):
            if wrong:
                raise InputError(f"{label}: {what} field {min(wrong)!r}")
        try:
            entry = Entry(**item)
        except InputError as error:
            raise InputError(f"{label}: {error}") from None
        if any(entry.name == e.name for e in entries):
            raise InputError(f"{label}: is there twice")
        entries.append(entry)
    return entries


def manifest_text(entries: list[Entry]) -> str:
    """The manifest's text: entries by name, the same bytes for the same entries."""
    ordered = [
        {k: v for k, v in asdict(e).items() if v or k not in OPTIONAL}
        for e in sorted(entries, key=lambda e: e.name)
    ]
    return (
        json.dumps(
            {"schema": SCHEMA, "checkpoints": ordered}, indent=1, sort_keys=True, ensure_ascii=False
        )
        + "\n"
    )


def find(name: str, entries: list[Entry]) -> Entry | None:
    """The entry of a full name, or the newest of a name without hash (`regnety-tiny.dWr-x4_fashion-mnist`)."""
    name = name.removesuffix(SUFFIX)
    fits = [e for e in entries if name in (e.name, e.short)]
    return max(fits, key=lambda e: (e.name == name, e.date, e.name)) if fits else None


def unknown(name: str, entries: list[Entry]) -> InputError:
    """What to say of a name that nothing is released under."""
    there = nearest(name, [e.name for e in entries]) if entries else "none yet"
    return InputError(
        f"no checkpoint is named {name!r}; released, nearest first: {there}; a file is given by its path"
    )
