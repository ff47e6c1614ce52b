"""The published rows that figures show."""

from fastscale.errors import InputError
from fastscale.records.frame import Row
from fastscale.references.published import PAPER, published
from fastscale.references.tables import RESTORE

__all__ = ["PAPER", "paper_points", "series_of_figure_2", "timm_points", "zoo_points"]


def paper_points(figures: tuple[str, ...]) -> list[Row]:
    """The rows of paper_points.csv from these figures (`fig4`) or tables (`xiao2021_table2`)."""
    rows = [(row, row.written["artifact"].split()) for row in published("paper_points")]
    known = sorted({name for _, names in rows for name in names})
    for figure in figures:
        if figure not in known:
            raise InputError(
                f"paper_points.csv holds no point of {figure}; choose from {', '.join(known)}"
            )
    return [row for row, names in rows if not set(names).isdisjoint(figures)]


def series_of_figure_2(points: list[Row]) -> list[Row]:
    """EfficientNet-B0 scaled by dwr, dw, dWr and w: the four series whose r the paper prints."""
    return [
        p
        for p in points
        if p.base == "efficientnet-b0" and p.strategy in (None, "dwr", "dw", "dWr", "w")
    ]


def zoo_points() -> list[Row]:
    """The authors' zoo: epoch times of training on 8 V100."""
    return [row for row in published("pycls_zoo") if row.mode == "training"]


def timm_points(name: str) -> list[Row]:
    """The networks with counts in one of timm's benchmark files, with seconds per image."""
    found = [
        row
        for row in published("timm_benchmarks")
        if row.written["source"] == f"timm results/{name}.csv" and row.acts is not None
    ]
    if not found:
        raise InputError(f"timm_benchmarks.csv holds no measurement of {name!r}; {RESTORE}")
    return found
