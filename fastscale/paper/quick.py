"""The quick comparison of paper_figures/quick: tables, figures, and what may be concluded."""

from collections.abc import Sequence
from dataclasses import replace

from fastscale.paper.artifacts import Artifact
from fastscale.paper.chart import Chart, Fit, Layout, Mark, Page, Picture
from fastscale.paper.comparison import Comparison, compare
from fastscale.paper.stats import deviation, least_squares, mean
from fastscale.paper.style import strategy_style
from fastscale.paper.tables.comparison import (
    comparison_table,
    correlation,
    correlation_table,
    counted,
    paper_correlations,
    timed_kind,
    where,
)
from fastscale.paper.tables.table import MEASURES, Table
from fastscale.records import Record

CPU_CAUTION = (
    "Times measured on a CPU: neither for nor against the paper's claim, which is about "
    "memory-bound accelerators."
)
_AXES = {
    "flops": ("flops (multiply-adds), M", 1e6),
    "params": ("params, K", 1e3),
    "acts": ("acts, K", 1e3),
}
_WIDE = Layout(width=7.2, panel=3.1)
_PRINTED = "In brackets: r as the paper prints it for Fig. 2 (other networks, on accelerators)."


def comparison_pages(
    records: Sequence[Record], artifact: Artifact, tier: str = "quick"
) -> list[Page]:
    """The tables' pages, and the summary with its pictures. Raises InputError (see `compare`)."""
    comparison = compare(records, artifact, tier)
    tables = _tables(comparison, artifact)
    pictures = {
        "error-vs-flops": error_picture(comparison),
        **time_pictures(comparison, paper_correlations()),
    }
    summary = Page(
        "summary",
        artifact.title,
        artifact.shows,
        pictures={name: picture for name, picture in pictures.items() if picture is not None},
        caption=[_conclusion(comparison)],
        tables=tables,
        template="comparison",
    )
    return [*(Page(table.name, tables=[table]) for table in tables), summary]


def quick_tables(
    records: Sequence[Record], artifact: Artifact, tier: str = "quick"
) -> tuple[Table, Table]:
    """The tables of comparison and correlation, for `render_terminal`. Raises InputError."""
    return _tables(compare(records, artifact, tier), artifact)


def error_picture(comparison: Comparison) -> Picture | None:
    """Error against flops, one point per network; error bars are one standard deviation."""
    marks = []
    for n in comparison.networks:
        y = mean(n.errors)
        if y is not None:
            style = strategy_style(n.strategy)
            marks.append(Mark(style, n.counts.flops / 1e6, y, deviation(n.errors), ours=True))
    if not marks:
        return None
    runs = {len(n.errors) for n in comparison.networks if n.errors}
    many = f"mean ± one standard deviation of {counted(runs)} runs"
    heading = "single runs" if runs == {1} else many
    chart = Chart(_AXES["flops"][0], "top-1 error, %", marks, heading, log_x=True, zero_y=False)
    return Picture("Error against flops", [where(comparison, "train")], [chart], layout=_WIDE)


def time_pictures(comparison: Comparison, paper: dict[str, float]) -> dict[str, Picture]:
    """Epoch time against flops, params and acts, and all three side by side.

    Empty if fewer than two networks have times.
    """
    charts = {measure: time_chart(comparison, measure, paper[measure]) for measure in MEASURES}
    if len(charts["flops"].marks) < 2:
        return {}
    notes = [where(comparison, timed_kind(comparison)), _PRINTED]
    caution = CPU_CAUTION if comparison.on_cpu else ""
    found = {
        f"epoch-time-vs-{measure}": Picture(
            f"Epoch time against {measure}", notes, [chart], caution=caution, layout=_WIDE
        )
        for measure, chart in charts.items()
    }
    side_by_side = [replace(c, ylabel=c.ylabel * (i == 0)) for i, c in enumerate(charts.values())]
    title = "Epoch time against flops, params and acts"
    return found | {"epoch-time-vs-all": Picture(title, notes, side_by_side, 3, caution)}


def time_chart(comparison: Comparison, measure: str, paper: float) -> Chart:
    """Epoch time (s) against one measure, with r and the least-squares line."""
    xlabel, unit = _AXES[measure]
    marks = []
    for n in comparison.networks:
        time, spread = comparison.epoch_time(n)
        if time is not None:
            x = getattr(n.counts, measure) / unit
            marks.append(Mark(strategy_style(n.strategy), x, time, spread, ours=True))
    r, _ = correlation(comparison, measure)
    heading = f"r = {r:.2f} ({paper:.2f})" if r is not None else "r: too few networks"
    fits = []
    if r is not None:
        xs, ys = [m.x for m in marks], [m.y for m in marks]
        fits.append(Fit(*least_squares(xs, ys), min(xs), max(xs)))
    how = "step x steps" if comparison.timed_by_step else "wall clock"
    return Chart(xlabel, f"epoch time, s ({how})", marks, heading, fits=fits)


def _tables(comparison: Comparison, artifact: Artifact) -> tuple[Table, Table]:
    return comparison_table(comparison, artifact), correlation_table(
        comparison, paper_correlations()
    )


def _conclusion(comparison: Comparison) -> str:
    errors = "Errors are those of a tiny network on small images after a short training"
    if not comparison.on_cpu:
        return f"{errors}; times are of the device named, not of the paper's."
    return (
        f"**Measured on a CPU ({comparison.environment('device')}).** The paper's claim that run "
        "time follows activations is about memory-bound accelerators. Times of so few networks on "
        "a CPU neither confirm nor refute it, whatever their r. In timm's measurements flops "
        "predict run time better than acts on one CPU, and about as well on another. The growth of "
        f"acts carries over, because it is counted, not timed. {errors}."
    )
