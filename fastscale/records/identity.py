"""What of a record follows from the network alone: its names and its counts."""

from typing import Any

from fastscale.archs import Arch
from fastscale.counts import complexity
from fastscale.scaling import parse_run


def network_fields(arch: Arch, num_classes: int, resolution: int | None = None) -> dict[str, Any]:
    """The fields arch, base, strategy, factor, resolution, num_classes, flops, params, acts of a `Record` of `arch`.

    `resolution`: px the network was run at (its own unless given).
    """
    name, counts = parse_run(arch.name), complexity(arch, resolution, num_classes)
    return {
        "arch": arch.name,
        "base": name.base,
        "strategy": name.strategy,
        "factor": name.factor,
        "resolution": arch.resolution if resolution is None else resolution,
        "num_classes": num_classes,
        **vars(counts),
    }
