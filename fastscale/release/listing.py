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


def errors_of_others(known: Known) -> dict[str, Any]:
    """The published errors in % of weights that others trained, and ours if they were measured."""
    ours = measured(known)
    return {
        "published": {"data": "imagenet", "top1_error": known.top1_error},
        **({"measured": {"data": "imagenette", **ours}} if ours else {}),
    }


def facts_of_others(known: Known) -> dict[str, Any]:
    """Facts about weights that others trained, found without opening their files."""
    arch = arch_named(known.arch)
    counts = complexity(arch)
    return {
        "name": known.arch,
        "resolution": arch.resolution,
        **{name: getattr(counts, name) for name in ("flops", "params", "acts")},
        **errors_of_others(known),
        "licence": known.licence,
        "installed": is_installed(known),
    }


def rows_of_others(weights: Iterable[Known]) -> list[dict[str, Any]]:
    """The same as `rows_of` for weights trained on ImageNet; the errors are published values."""
    rows = []
    for known in weights:
        facts = facts_of_others(known)
        counts = {name: facts[name] for name in ("resolution", "flops", "params")}
        name, notes = known.name, ["published error"]
        if known.url.startswith(PACKAGE):  # the only ones that were measured here
            name = known.arch
            if ours := facts.get("measured"):
                notes.append(f"{ours['top1_error']:.2f} on Imagenette's photographs")
            if not facts["installed"]:
                notes.append(f"not installed: {home().extra('lite')}")
        rest = {"top1_error": known.top1_error, "runs": None, "mb": None, "notes": "; ".join(notes)}
        rows.append({"name": name, "data": "imagenet", **counts, **rest})
    return rows
