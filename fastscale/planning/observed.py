"""Rows of the frame as what a runtime law is fitted to."""

from fastscale.planning.law import Observation
from fastscale.planning.terms import terms
from fastscale.records.frame import Row
from fastscale.references.networks import arch_of
from fastscale.scaling.strategy import POW2


def observed(row: Row, batch: float | None = None) -> Observation:
    """A row of the frame as an observation; `batch`: the one to assume where none is known. Its
    network has to be one of ours. One whose group widths are held to powers of two belongs to the
    strategy of its twin, so that what is tried on one was not fitted to the other."""
    assert row.arch and row.resolution and row.image_time_s
    arch = arch_of(row)
    return Observation(
        row.arch,
        arch.family.lower(),
        "none" if row.strategy in (None, "orig") else row.strategy.removesuffix(POW2),
        row.resolution,
        terms(arch, row.resolution, row.num_classes),
        row.batch or batch or 0.0,
        row.image_time_s,
        row.base or row.arch,
    )
