"""Trained evidence as figures: error against flops and acts, and paired differences of strategies.

drawing:
  by: paired
  tier: quick                     the tier whose plan is drawn
  classes: 10                     classes of the data, for counts
  sizes: [2, 4]                   flops of the scaled networks, in about so many times the base's
  reference: dwgr                 the baseline strategy
  margin: 1.0                     points of error within which two strategies count as equal
  spread: 0.99                    optional: standard deviation of a pair's difference in earlier
                                  runs, in points; adds the table of tests and their power
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from fastscale.common import pluralize
from fastscale.paper.artifacts import Drawing, Figure, check_strategies, drawing
from fastscale.paper.chart import Chart, Layout, Mark, Page, Picture
from fastscale.paper.declare import Positive, Scaling, Some, Whole
from fastscale.paper.figures.curves import curve_file, errors_by_epoch
from fastscale.paper.paired import Trained, by_size, trained
from fastscale.paper.stats import LEVEL, Estimate
from fastscale.paper.style import GREY, PALE, strategy_style
from fastscale.paper.tables.comparison import DATA_NAMES
from fastscale.paper.tables.equivalence import tests_table
from fastscale.paper.tables.paired import amount, differences_table, networks_table, unequal, where
from fastscale.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

_AXES = {"flops": ("flops (multiply-adds), M", 1e6), "acts": ("acts, K", 1e3)}


class Paired(Drawing):
    tier: Literal["quick", "full"]
    classes: Whole
    sizes: Some[Positive]
    reference: Scaling
    margin: float = Field(ge=0, le=100)
    spread: float | None = Field(default=None, gt=0, le=100)

    def check(self, artifact: Figure) -> None:
        """Raises ValueError if the tier is not declared or does not scale by the baseline."""
        plan = artifact.plan(self.tier)
        if plan is None:
            raise ValueError(f"tier: no tier {self.tier!r} is declared")
        try:
            check_strategies([self.reference], plan)
        except ValueError as error:
            raise ValueError(f"reference: {error}") from None

    def names(self, artifact: Figure, records: Sequence[Record]) -> list[str]:
        return [artifact.name] if self.trained(artifact, records).records else []

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        return amount(self.trained(artifact, records))

    def trained(self, artifact: Figure, records: Sequence[Record]) -> Trained:
        """The plan's networks with the records of their runs."""
        plan = artifact.plan(self.tier)
        assert plan is not None  # see check
        return trained(artifact.name, plan, self.sizes, self.classes, records)


@drawing("paired", spec=Paired)
def draw_paired(artifact: Figure, spec: Paired, records: Sequence[Record]) -> list[Page]:
    """One page: the tables, and pictures if anything was trained."""
    found, reference = spec.trained(artifact, records), spec.reference
    pictures, alt = {}, artifact.title
    if found.records:
        notes = [*_subtitle(found), unequal(found, reference)]
        pictures[artifact.name] = Picture(artifact.title, notes, _charts(found), 2, alt=alt)
    others = found.besides(reference)
    estimates = {s: each for s in others if (each := by_size(found, s, reference))}
    if estimates:
        pictures[f"{artifact.name}-differences"] = _forest(found, estimates, spec, alt)
    curves = curve_file(artifact.name)
    if found.records and curves.is_file():
        title = f"Training curves\n{artifact.title}"
        pictures[f"{artifact.name}-curves"] = Picture(
            title, [_COURSE], _courses(found, curves), 2, alt=alt
        )
    return [
        Page(
            artifact.name,
            artifact.title + where(found),
            artifact.shows,
            pictures=pictures,
            caption=[_CLAIMS],
            tables=[
                networks_table(found, artifact, reference),
                differences_table(found, artifact, reference),
                *([] if spec.spread is None else [tests_table(found, artifact, spec.spread)]),
            ],
        )
    ]


def _charts(found: Trained) -> list[Chart]:
    charts = []
    for base in found.plan.bases:
        for measure, (label, unit) in _AXES.items():
            marks = []
            for cell in found.cells:
                result = cell.summary
                if cell.base == base and result is not None:
                    mean, spread, _ = result
                    marks.append(
                        Mark(
                            strategy_style(cell.strategy),
                            getattr(cell.counts, measure) / unit,
                            mean,
                            spread,
                            ours=True,
                        )
                    )
            if marks:
                charts.append(
                    Chart(label, "top-1 error, %", marks, base, log_x=True, zero_y=False, join=True)
                )
    return charts


def _courses(found: Trained, path: Path) -> list[Chart]:
    """Mean error after each epoch, of each base and its largest networks."""
    errors = errors_by_epoch(path, found.records)
    charts = []
    for base in found.plan.bases:
        marks = []
        for cell in found.cells:
            if (
                cell.base == base
                and cell.trained
                and (cell.strategy is None or cell.size == max(found.sizes))
            ):
                runs = [errors[str(row.run), row.seed or 0] for row in cell.trained]
                for epoch, values in enumerate(zip(*runs, strict=True), start=1):
                    marks.append(
                        Mark(
                            strategy_style(cell.strategy),
                            epoch,
                            sum(values) / len(values),
                            ours=True,
                        )
                    )
        if marks:
            charts.append(
                Chart("epoch", "top-1 error, %", marks, base, zero_x=False, zero_y=False, join=True)
            )
    return charts


def _subtitle(found: Trained) -> list[str]:
    epochs = found.records[0].epochs
    data = DATA_NAMES.get(found.plan.data, found.plan.data)
    runs = sorted({len(cell.trained) for cell in found.cells})
    many = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return [
        f"{data}, {pluralize(epochs or 0, 'epoch')}, {many} runs per network; "
        "bars: one standard deviation. Small networks, short training."
    ]


Estimates = Mapping[str, list[tuple[tuple[float, ...], Estimate]]]


@dataclass(frozen=True)
class Forest:
    """A panel of mean differences from the baseline: one row per strategy, one line per size.

    The grey band is the margin within which strategies count as equal. Sizes are never pooled:
    their mean would hide a change of sign.
    """

    sizes: Sequence[float]
    estimates: Estimates
    margin: float
    heading: str = ""
    marks: Sequence[Mark] = ()

    def draw(self, ax: Axes) -> None:
        """Draws the first strategy on top, the first of several sizes hollow."""
        from fastscale.paper.render import label_axes

        ax.axvspan(-self.margin, self.margin, color=PALE, alpha=0.6, zorder=0)
        ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
        for row, (strategy, each) in enumerate(self.estimates.items()):
            style = strategy_style(strategy)
            for size, e in each:
                place = self.sizes.index(size[0])
                ax.errorbar(
                    [e.mean],
                    [row + 0.32 * (place - (len(self.sizes) - 1) / 2)],
                    xerr=[[e.mean - e.low], [e.high - e.mean]],
                    color=style.colour,
                    marker=style.marker,
                    markersize=style.size * 0.7,
                    markerfacecolor="white" if hollow(place, self.sizes) else style.colour,
                )
        label_axes(ax, "difference of top-1 error in points; right of 0 is worse")
        ax.set_yticks(range(len(self.estimates)), labels=list(self.estimates))
        ax.set_ylim(len(self.estimates) - 0.5, -0.5)
        ax.grid(visible=False, axis="y")


def _forest(found: Trained, estimates: Estimates, spec: Paired, alt: str) -> Picture:
    data = DATA_NAMES.get(found.plan.data, found.plan.data)
    notes = [
        f"mean of {data} runs paired by base and seed; bars: {LEVEL:.0%} interval; "
        f"grey: equal within ±{spec.margin:g} points",
        *(_size_in_words(found, spec.reference, place) for place in range(len(found.sizes))),
    ]
    return Picture(
        f"Top-1 error minus that of {spec.reference}",
        notes,
        [Forest(found.sizes, estimates, spec.margin)],
        alt=alt,
        legend=[],
        layout=Layout(left=0.94, width=7.2, panel=0.43 + 0.42 * len(estimates)),
    )


def hollow(place: int, sizes: Sequence[float]) -> bool:
    return place == 0 and len(sizes) > 1


def _size_in_words(found: Trained, reference: str, place: int) -> str:
    size = found.sizes[place]
    mark = "hollow" if hollow(place, found.sizes) else "filled"
    own = found.growths(size, reference)
    ends = " to ".join(dict.fromkeys(f"x{growth:.2f}" for growth in (min(own), max(own))))
    return f"{mark}: about x{size:g} the flops (multiply-adds), {reference} {ends}"


_COURSE = (
    "Validation error after each epoch, mean over seeds, of the base and of the networks with "
    "about four times its flops."
)
_CLAIMS = "The claims were stated before training. Their verdicts: [claims.md](../claims.md)."
