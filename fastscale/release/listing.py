"""`fastscale list checkpoints`: one row for each released checkpoint and public weights."""

from collections.abc import Iterable
from typing import Any

from fastscale.counts import complexity
from fastscale.home import home
from fastscale.release.manifest import Entry, current_first
from fastscale.release.public import PACKAGE, Known, is_installed, measured
from fastscale.scaling import arch_named


def rows_of(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Released names for `fastscale.load`, with px, counts, error in % and number of runs.

    Superseded ones come last.
    """
    rows = []
    for e in current_first(entries):
        error = e.errors["top1_error"]
        counts = {"resolution": e.resolution, "flops": e.flops, "params": e.params}
        measured = {"top1_error": round(error["value"], 2), "runs": error["n"]}
        file = {"mb": round(e.bytes / 1e6, 2), "notes": "superseded" if e.superseded else ""}
        rows.append({"name": e.name, "data": e.data, **counts, **measured, **file})
    return rows


def rows_of_others(weights: Iterable[Known]) -> list[dict[str, Any]]:
    """The same for weights that others trained on ImageNet; the errors are published values."""
    rows = []
    for known in weights:
        arch = arch_named(known.arch)
        cx = complexity(arch)
        counts = {"resolution": arch.resolution, "flops": cx.flops, "params": cx.params}
        name, notes = known.name, ["published error"]
        if known.url.startswith(PACKAGE):  # the only ones that were measured here
            name = known.arch
            if ours := measured(known):
                notes.append(f"{ours['top1_error']:.2f} on Imagenette's photographs")
            if not is_installed(known):
                notes.append(f"not installed: {home().extra('lite')}")
        rest = {"top1_error": known.top1_error, "runs": None, "mb": None, "notes": "; ".join(notes)}
        rows.append({"name": name, "data": "imagenet", **counts, **rest})
    return rows
