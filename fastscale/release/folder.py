"""A folder of released files. Each write is atomic; the manifest comes after the files it names."""

import hashlib
import os
from collections.abc import Sequence
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
    """Writes file, records, manifest and cards, in this order and each atomically."""
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
    """Regenerates every card and the index from manifest and records."""
    entries = read_manifest(folder / places.MANIFEST)
    store = folder / places.RECORDS
    records = {r.id: r for r in read_records(store)} if store.is_file() else {}
    # only this package's manifest is searched by name; elsewhere, cards name the file beside them
    released_here = folder.resolve() == home().checkpoints.resolve()
    for entry in entries:
        measured = [records[i] for i in entry.record_ids if i in records]
        name = entry.name if released_here else entry.file
        write_whole(folder / f"{entry.name}.md", card(entry, measured, name))
    write_whole(folder / "README.md", index(entries))


def write_imported(checkpoint: Checkpoint, source: str, out: str | os.PathLike = ".") -> Path:
    """Writes another project's weights in the released format; the file loads by its path only."""
    data = to_bytes(checkpoint.about, checkpoint.weights)
    name = f"{released_name(checkpoint.about.arch, source)}-{sha256(data)[:8]}"
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / (name + SUFFIX), data)
    return folder / (name + SUFFIX)
