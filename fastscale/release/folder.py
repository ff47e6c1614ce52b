"""A folder of released files: each whole or as before, the manifest last but for the pages made from it."""

import hashlib
import os
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

from fastscale.archs.names import released_name
from fastscale.common import write_whole
from fastscale.data.source_kinds import lock
from fastscale.home import home
from fastscale.records import Record, RecordStore, read_records, write_snapshot
from fastscale.release import places
from fastscale.release.card import card, index
from fastscale.release.checkpoint import Checkpoint, to_bytes
from fastscale.release.manifest import (
    SUFFIX,
    Entry,
    manifest_text,
    read_manifest,
)


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def write_release(folder: Path, entry: Entry, data: bytes, records: Sequence[Record]) -> None:
    """File, records, manifest, cards: each whole or as before, the manifest last but for the cards that are made from it."""
    with lock(folder / ".publish.lock", places.say):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / entry.file, data)
        store = folder / places.RECORDS
        write_snapshot(store, [*RecordStore(store).read(), *records])
        entries = [e for e in read_manifest(folder / places.MANIFEST) if e.name != entry.name] + [
            entry
        ]
        write_whole(folder / places.MANIFEST, manifest_text(entries))
        write_cards(folder)


def write_cards(folder: Path) -> None:
    """Every card and the index, made again from manifest and records."""
    entries = read_manifest(folder / places.MANIFEST)
    records = (
        {r.id: r for r in read_records(folder / places.RECORDS)}
        if (folder / places.RECORDS).is_file()
        else {}
    )
    # only a name in this package's manifest is found by it: elsewhere the file beside the card is
    named = (
        attrgetter("name")
        if folder.resolve() == home().checkpoints.resolve()
        else attrgetter("file")
    )
    for entry in entries:
        write_whole(
            folder / f"{entry.name}.md",
            card(entry, [records[i] for i in entry.record_ids if i in records], named(entry)),
        )
    write_whole(folder / "README.md", index(entries))


def write_imported(checkpoint: Checkpoint, source: str, out: str | os.PathLike = ".") -> Path:
    """Another project's weights as a local file in the released format, which loads by its path; no manifest names it."""
    data = to_bytes(checkpoint.about, checkpoint.weights)
    name = f"{released_name(checkpoint.about.arch, source)}-{sha256(data)[:8]}"
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / (name + SUFFIX), data)
    return folder / (name + SUFFIX)
