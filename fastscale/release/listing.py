"""`fastscale list checkpoints`: one row for each released checkpoint and public weights."""

from collections.abc import Iterable
from typing import Any

from fastscale.counts import complexity
from fastscale.release.manifest import Entry
from fastscale.release.public import Known
from fastscale.scaling import arch_named


def rows_of(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Released names for `fastscale.load`, with px, counts, error in % and number of runs."""
    rows = []
    for e in entries:
        error = e.errors["top1_error"]
        counts = {"resolution": e.resolution, "flops": e.flops, "params": e.params}
        measured = {"top1_error": round(error["value"], 2), "runs": error["n"]}
        rows.append(
            {"name": e.name, "data": e.data, **counts, **measured, "mb": round(e.bytes / 1e6, 2)}
        )
    return rows


def rows_of_others(weights: Iterable[Known]) -> list[dict[str, Any]]:
    """The same for weights that others trained on ImageNet; the errors are published values."""
    rows = []
    for known in weights:
        arch = arch_named(known.arch)
        cx = complexity(arch)
        counts = {"resolution": arch.resolution, "flops": cx.flops, "params": cx.params}
        rest = {"top1_error": known.top1_error, "runs": None, "mb": None}
        rows.append({"name": known.name, "data": "imagenet", **counts, **rest})
    return rows
