"""The fields of a record that follow from the network alone: its names and its counts."""

from functools import lru_cache
from typing import Any

from fastscale.archs import Arch
from fastscale.archs.names import NetworkName
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.records.record import Record
from fastscale.scaling import arch_named, network_of, own_definition


def network_fields(arch: Arch, num_classes: int, resolution: int | None = None) -> dict[str, Any]:
    """The fields of a `Record` from `arch` to `acts`, and `definition` if the name is not enough.

    `resolution`: px the network was run at; default: its own.
    """
    name = NetworkName.parse(arch.name, known=False)
    counts = complexity(arch, resolution, num_classes)
    return {
        "arch": arch.name,
        "base": name.base,
        "strategy": name.strategy,
        "factor": name.factor,
        "resolution": arch.resolution if resolution is None else resolution,
        "num_classes": num_classes,
        **vars(counts),
        "definition": own_definition(arch),
    }


def arch_of(record: Record) -> Arch:
    """The network of a record. InputError for an unknown name or an invalid definition."""
    if record.definition is None:
        return arch_named(record.arch)
    return network_of(record.arch, record.definition, f"record {record.id}: its definition")


def family_of(record: Record) -> str:
    """The family of a record's network; if it is not registered here, the name of its class, which
    is enough to draw it."""
    try:
        if record.definition is None:
            return _family(record.arch)
        return arch_of(record).family
    except InputError:
        return str((record.definition or {}).get("kind", record.base))


@lru_cache(maxsize=8192)
def _family(name: str) -> str:
    return arch_named(name).family
