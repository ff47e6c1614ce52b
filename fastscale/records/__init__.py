"""Records: one validated JSON line per measured fact, with the environment that produced it."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from fastscale.records.durations import Duration, step_time
from fastscale.records.environment import environment
from fastscale.records.identity import arch_of, family_of, network_fields
from fastscale.records.record import CONDITIONS, KINDS, SCHEMA, Record, key
from fastscale.records.store import RecordStore, latest, read_records, write_snapshot

if TYPE_CHECKING:
    import pandas

__all__ = [
    "CONDITIONS",
    "KINDS",
    "SCHEMA",
    "Duration",
    "Record",
    "RecordStore",
    "arch_of",
    "environment",
    "family_of",
    "key",
    "latest",
    "network_fields",
    "read_records",
    "step_time",
    "write_snapshot",
]


class _Room(ModuleType):
    """Makes the package callable: `fastscale.records()` is a public function as well."""

    def __call__(self, runs_dir: "str | Path | None" = None) -> "pandas.DataFrame":
        """See `fastscale.api.records`."""
        return import_module("fastscale.api").records(runs_dir)


sys.modules[__name__].__class__ = _Room
