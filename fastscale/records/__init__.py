"""Records: one validated JSON line per measured fact, with what produced it. Knows neither who writes nor who reads."""

from fastscale.records.environment import environment
from fastscale.records.identity import network_fields
from fastscale.records.record import CONDITIONS, KINDS, SCHEMA, Record, key
from fastscale.records.store import RecordStore, latest, read_records, write_snapshot

__all__ = [
    "CONDITIONS",
    "KINDS",
    "SCHEMA",
    "Record",
    "RecordStore",
    "environment",
    "key",
    "latest",
    "network_fields",
    "read_records",
    "write_snapshot",
]
