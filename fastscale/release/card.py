"""The pages of released checkpoints: a card for each, and the index.

They are made from the manifest and the records by templates/.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastscale.archs.names import base_of
from fastscale.common import render
from fastscale.data.sources import SOURCES
from fastscale.records import Record
from fastscale.release.manifest import Entry


def card(entry: Entry, records: Sequence[Record], name: str | None = None) -> str:
    """The model card in Markdown: results, counts, training, loading and limits.

    `name`: the name that loads it where the card is read (default: its released name).
    """
    env = next((r.env for r in records if r.seed == entry.seed), None)
    name = entry.name if name is None else name
    commands = {
        "loads": name,
        "write": write_command(entry, (env or {}).get("stored") or {}),
        "train": train_command(entry),
        "verify": verify_command(entry, name),
    }
    base = base_of(entry.arch) if "--arch" in entry.arguments else None
    runs = len(entry.record_ids)
    return page("card.md.j2", e=entry, runs=runs, env=env, own_base=base, **commands)


def index(entries: Sequence[Entry]) -> str:
    """checkpoints/README.md."""
    return page("index.md.j2", entries=entries)


def page(template: str, **values: Any) -> str:
    """A rendered template of this folder."""
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
    """`13.79 ± 0.17 (3)`: mean, std and n of several runs."""
    return f"{error['mean']:.2f} ± {error['std']:.2f} ({error['n']})"


def train_command(entry: Entry) -> str:
    """The command that repeats the training; PATH stands for the reader's copy of the data."""
    words = ["fastscale", "fit", "--run", entry.run, "--seed_everything", str(entry.seed)]
    return shlex.join([*words, *entry.arguments])


def write_command(entry: Entry, stored: Mapping[str, Any]) -> str | None:
    """The command that writes the images as they were stored.

    None for a named data set without options: `fit` finds it, or says how to write it.
    """
    if entry.data in SOURCES and not stored:
        return None
    options = [(f"--{k.replace('_', '-')}", v) for k, v in stored.items() if k != "unproven" and v]
    words = ["fastscale", "data", "write", source_of(entry)]
    return shlex.join([*words, *(str(word) for option in options for word in option)])


def source_of(entry: Entry) -> str:
    """The data source that it was trained on, as in its training command."""
    words = list(entry.arguments)
    return words[words.index("--data.source") + 1] if "--data.source" in words else entry.data


def verify_command(entry: Entry, name: str, source: str | None = None) -> str:
    """The command that evaluates the file again; data without a known name are an option.

    For a model hub it only evaluates, since there is no manifest to compare with.
    """
    words = ["evaluate"] if name.startswith("hf:") else ["checkpoint", "verify"]
    words = ["fastscale", *words, name]
    data = [] if entry.data in SOURCES else ["--data", source or source_of(entry)]
    return shlex.join(words + data)
