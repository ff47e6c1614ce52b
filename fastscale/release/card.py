"""The pages beside released checkpoints, made from manifest and records alone by the templates in
templates/: a card for each and the index of all."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastscale.archs.names import base_of
from fastscale.common import render
from fastscale.data.sources import SOURCES
from fastscale.records import Record
from fastscale.release.manifest import Entry


def card(entry: Entry, records: Sequence[Record], name: str | None = None) -> str:
    """The model card in Markdown: what it is, results, counts, how it was trained, how to load it, limits.

    `name`: what loads it where the card is read; default: its released name.
    """
    env = next((r.env for r in records if r.seed == entry.seed), None)
    name = entry.name if name is None else name
    own = {
        "loads": name,
        "write": write_command(entry, (env or {}).get("stored") or {}),
        "train": train_command(entry),
        "verify": verify_command(entry, name),
    }
    base = base_of(entry.arch) if "--arch" in entry.arguments else None
    return page("card.md.j2", e=entry, runs=len(entry.record_ids), env=env, own_base=base, **own)


def index(entries: Sequence[Entry]) -> str:
    """checkpoints/README.md."""
    return page("index.md.j2", entries=entries)


def page(template: str, **values: Any) -> str:
    """A template of this room with its words for numbers."""
    words: dict[str, Callable[..., str]] = {
        "thousands": "{:,}".format,
        "file_size": file_size,
        "percent": percent,
    }
    return render(__package__, template, words, spread=spread, **values)


def file_size(size: int) -> str:
    """
    >>> file_size(654321), file_size(1234567)
    ('654 kB', '1.23 MB')
    """
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def percent(error: dict[str, Any]) -> str:
    """`13.87 (mean of 3 runs 13.79, std 0.17)`."""
    value = f"{error['value']:.2f}"
    if error["n"] == 1:
        return f"{value} (a single run)"
    return f"{value} (mean of {error['n']} runs {error['mean']:.2f}, std {error['std']:.2f})"


def spread(error: dict[str, Any]) -> str:
    """Mean, std and n of an error of several runs."""
    return f"{error['mean']:.2f} ± {error['std']:.2f} ({error['n']})"


def train_command(entry: Entry) -> str:
    """Trains the same again, PATH standing for the reader's own copy of the data."""
    words = ["fastscale", "fit", "--run", entry.run, "--seed_everything", str(entry.seed)]
    return shlex.join([*words, *entry.arguments])


def write_command(entry: Entry, stored: Mapping[str, Any]) -> str | None:
    """Writes the images as they were stored; None for a named data set stored as it is, which `fit`
    finds written or says how to write."""
    if entry.data in SOURCES and not stored:
        return None
    options = [(f"--{k.replace('_', '-')}", v) for k, v in stored.items() if k != "unproven" and v]
    words = ["fastscale", "data", "write", source_of(entry)]
    return shlex.join([*words, *(str(word) for option in options for word in option)])


def source_of(entry: Entry) -> str:
    """What it was trained on, as its arguments say it to a reader."""
    words = list(entry.arguments)
    return words[words.index("--data.source") + 1] if "--data.source" in words else entry.data


def verify_command(entry: Entry, name: str, source: str | None = None) -> str:
    """Evaluates the file again; data that have no name of their own are to be given. Of a model
    hub no manifest is at hand to hold it against: the errors alone."""
    words = ["evaluate"] if name.startswith("hf:") else ["checkpoint", "verify"]
    words = ["fastscale", *words, name]
    own = [] if entry.data in SOURCES else ["--data", source or source_of(entry)]
    return shlex.join(words + own)
