"""The folders of released files: the checkout's checkpoints/, and the cache of downloads."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fastscale.common import shown
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.records import Record, RecordStore
from fastscale.release.manifest import SUFFIX, Entry, find, read_manifest, unknown

MANIFEST, RECORDS = "manifest.json", "records.jsonl"


def to_publish() -> Path:
    """The default folder of `publish`: $FASTSCALE_CHECKPOINTS, else ./checkpoints.

    InputError if that is this package's own, because publishing there changes its manifest, pages
    and README.
    """
    if os.environ.get("FASTSCALE_CHECKPOINTS"):
        return home().checkpoints
    here = Path("checkpoints")
    if here.resolve() == home().checkpoints.resolve():
        raise InputError(
            f"{here.resolve()} holds fastscale's own releases and README; "
            "give another folder with --out DIR (--out checkpoints publishes there anyway)"
        )
    return here


def cache() -> Path:
    """The folder of downloads: `checkpoints` in $FASTSCALE_DATA or ~/.cache/fastscale."""
    return home().data / "checkpoints"


def released() -> list[Entry]:
    """Every entry of the manifest."""
    return read_manifest(home().checkpoints / MANIFEST)


def records_in(path: Path) -> dict[str, Record]:
    """The records of a file, by id."""
    return {r.id: r for r in RecordStore(path).read()}


def named(names: Sequence[str]) -> list[tuple[Entry, Path]]:
    """(entry, its folder) for released names, or for files beside the manifest that lists them.

    Without names, all released entries. InputError for an unknown name.
    """
    here, out = home().checkpoints, []
    entries = released()
    for name in names:
        if not name.endswith(SUFFIX) and os.sep not in name:
            if (entry := find(name, entries)) is None:
                raise unknown(name, entries)
            out.append((entry, here))
            continue
        path = Path(name).expanduser()
        beside = read_manifest(path.parent / MANIFEST)
        entry = next((e for e in beside if path.name in (e.file, e.name)), None)
        if entry is None:
            raise InputError(
                f"{name}: no {MANIFEST} beside it lists it: not published; `fastscale evaluate` "
                "measures a file's errors"
            )
        out.append((entry, path.parent))
    return out if names else [(entry, here) for entry in entries]


def say(line: str) -> None:
    """Prints progress to stderr; stdout is for results."""
    print(shown(line), file=sys.stderr, flush=True)
