"""Where released files lie: the checkout's checkpoints/ first, then the cache that downloads go to."""

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
    """The folder that `publish` writes into where none is named: $FASTSCALE_CHECKPOINTS, else
    checkpoints/ of the current folder.

    InputError where that is the one that this package was cloned with: what is published there
    changes its manifest, its pages and its README, which are not the user's.
    """
    if os.environ.get("FASTSCALE_CHECKPOINTS"):
        return home().checkpoints
    here = Path("checkpoints")
    if here.resolve() == home().checkpoints.resolve():
        raise InputError(
            f"{here.resolve()} holds what fastscale itself released, and its README; "
            "say where to publish: --out DIR (--out checkpoints: there all the same)"
        )
    return here


def cache() -> Path:
    """Where downloads are kept: `checkpoints` in $FASTSCALE_DATA or ~/.cache/fastscale."""
    return home().data / "checkpoints"


def released() -> list[Entry]:
    """Every entry of the manifest."""
    return read_manifest(home().checkpoints / MANIFEST)


def records_in(path: Path) -> dict[str, Record]:
    """The records of a file, by id."""
    return {r.id: r for r in RecordStore(path).read()}


def named(names: Sequence[str]) -> list[tuple[Entry, Path]]:
    """Entries and the folders that hold them, of released names, or of files beside the manifest
    that lists them; all that is released for none. InputError where there is no such entry."""
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
                "gives a file's errors"
            )
        out.append((entry, path.parent))
    return out if names else [(entry, here) for entry in entries]


def say(line: str) -> None:
    """Progress, on stderr: stdout belongs to results."""
    print(shown(line), file=sys.stderr, flush=True)
