"""Which published rows a figure shows, with the counts that were published."""

from fastscale.errors import InputError
from fastscale.records.frame import Row
from fastscale.references.published import PAPER, published
from fastscale.references.tables import RESTORE

__all__ = ["MEASURES", "PAPER", "paper_points", "series_of_figure_2", "timm_points", "zoo_points"]
MEASURES = ("flops", "params", "acts")


def paper_points(figures: tuple[str, ...]) -> list[Row]:
    """The points of these figures (`fig2`, `fig4`, `fig6`) or tables (`xiao2021_table2`) of paper_points.csv, in the file's order."""
    rows = [(row, row.written["artifact"].split()) for row in published("paper_points")]
    there = sorted({name for _, names in rows for name in names})
    for figure in figures:
        if figure not in there:
            raise InputError(
                f"paper_points.csv holds no point of {figure}; there are {', '.join(there)}"
            )
    return [row for row, names in rows if not set(names).isdisjoint(figures)]


def series_of_figure_2(points: list[Row]) -> list[Row]:
    """EfficientNet-B0 and what dwr, dw, dWr and w make of it: the four series whose r the paper prints."""
    return [
        p
        for p in points
        if p.base == "efficientnet-b0" and p.strategy in (None, "dwr", "dw", "dWr", "w")
    ]


def zoo_points() -> list[Row]:
    """The authors' zoo: training epoch time on 8 V100."""
    return [row for row in published("pycls_zoo") if row.mode == "training"]


def timm_points(name: str) -> list[Row]:
    """One of timm's benchmark files: seconds an image, at the batch it was measured with; networks whose counts timm prints."""
    found = [
        row
        for row in published("timm_benchmarks")
        if row.written["source"] == f"timm results/{name}.csv" and row.acts is not None
    ]
    if not found:
        raise InputError(f"timm_benchmarks.csv holds no measurement of {name!r}; {RESTORE}")
    return found
