"""Where released files lie: the checkout's checkpoints/ first, then the cache that downloads go to."""

import os
import sys
from pathlib import Path

from fastscale.common import shown
from fastscale.home import home
from fastscale.records import Record, RecordStore
from fastscale.release.manifest import Entry, read_manifest

MANIFEST, RECORDS = "manifest.json", "records.jsonl"


def to_publish() -> Path:
    """The folder that `publish` writes into: $FASTSCALE_CHECKPOINTS, else checkpoints/ of the
    current folder. Never the package's own, unless that is where one stands."""
    chosen = os.environ.get("FASTSCALE_CHECKPOINTS")
    return home().checkpoints if chosen else Path.cwd() / "checkpoints"


def cache() -> Path:
    """Where downloads are kept: `checkpoints` in $FASTSCALE_DATA or ~/.cache/fastscale."""
    return home().data / "checkpoints"


def released() -> list[Entry]:
    """Every entry of the manifest."""
    return read_manifest(home().checkpoints / MANIFEST)


def records_in(path: Path) -> dict[str, Record]:
    """The records of a file, by id."""
    return {r.id: r for r in RecordStore(path).read()}


def records_here() -> dict[str, Record]:
    """The records beside the manifest, by id."""
    return records_in(home().checkpoints / RECORDS)


def say(line: str) -> None:
    """Progress, on stderr: stdout belongs to results."""
    print(shown(line), file=sys.stderr, flush=True)
