"""Rows of the frame as observations that a runtime law is fitted to."""

from fastscale.planning.law import Observation
from fastscale.planning.terms import terms
from fastscale.records.frame import Row
from fastscale.references.networks import arch_of
from fastscale.scaling.strategy import POW2


def observed(row: Row, batch: float | None = None) -> Observation:
    """A row of the frame as an observation; its network must be one of ours.

    `batch`: assumed if the row has none. Power-of-two group widths count as the same strategy as
    the paper's rounding, so that both are left out of a fit together.
    """
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
