"""Trained evidence as figures: error against flops and acts, base by base, and every strategy's paired difference with its interval.

drawing:
  by: paired
  tier: quick                     whose plan
  classes: 10                     of the data, for counts
  sizes: [2, 4]                   about how many times the base's flops the scaled networks have
  reference: dwgr                 the strategy that the others are held against
  margin: 1.0                     points of error within which two strategies count as alike
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fastscale.paper.artifacts import Artifact
from fastscale.paper.chart import Chart, Mark, draw_charts
from fastscale.paper.comparison_tables import DATA_NAMES
from fastscale.paper.curves import curve_file, errors_by_epoch
from fastscale.paper.figures import house_style, save_picture
from fastscale.paper.looks import GREY, PALE, strategy_look
from fastscale.paper.paired import LEVEL, Estimate, Trained, by_size, trained
from fastscale.paper.paired_tables import differences_table, networks_table, unequal, where
from fastscale.paper.places import write_text
from fastscale.paper.tables import to_markdown, write_numbers
from fastscale.records import Record

_AXES = {"flops": ("flops (multiply-adds), M", 1e6), "acts": ("acts, K", 1e3)}


def draw_paired(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
    """Pictures (where anything was trained), Markdown, CSV and LaTeX."""
    found = trained(artifact, records)
    tables = [networks_table(found, artifact), differences_table(found, artifact)]
    paths, pictures = [], []
    if found.records:
        paths += draw_charts(
            _charts(found),
            2,
            artifact.title,
            [*_subtitle(found), unequal(found, artifact.drawing["reference"])],
            folder,
            artifact.name,
        )
        pictures.append(artifact.name)
    reference = artifact.drawing["reference"]
    others = [s for s in found.strategies if s != reference]
    estimates = {s: each for s in others if (each := by_size(found, s, reference))}
    if estimates:
        paths += _forest(found, estimates, artifact, folder)
        pictures.append(f"{artifact.name}-differences")
    curves = curve_file(artifact.name)
    if found.records and curves.is_file():
        name = f"{artifact.name}-curves"
        paths += draw_charts(
            _courses(found, curves),
            2,
            f"Course of training\n{artifact.title}",
            [_COURSE],
            folder,
            name,
        )
        pictures.append(name)
    text = [f"# {artifact.title}{where(found)}", "", artifact.shows.strip(), ""]
    for name in pictures:
        text += [f"![{artifact.title}]({name}.svg)", ""]
    text += [
        "The claims, stated before anything was trained, and their verdicts: [claims.md](../claims.md).",
        "",
    ]
    text += [to_markdown(table) for table in tables]
    paths.append(write_text(folder / f"{artifact.name}.md", "\n".join(text).rstrip() + "\n"))
    for table in tables:
        paths += write_numbers(table, folder)
    return paths


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
                            strategy_look(cell.strategy),
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
    """Mean error of the largest networks after each epoch, base by base."""
    errors = errors_by_epoch(path, found.records)
    charts = []
    for base in found.plan.bases:
        marks = []
        for cell in found.cells:
            if (
                cell.base == base
                and cell.runs
                and (cell.strategy is None or cell.size == max(found.sizes))
            ):
                runs = [errors[record.run, seed] for seed, record in cell.runs.items()]
                for epoch, values in enumerate(zip(*runs, strict=True), start=1):
                    marks.append(
                        Mark(
                            strategy_look(cell.strategy),
                            epoch,
                            sum(values) / len(values),
                            ours=True,
                        )
                    )
        if marks:
            charts.append(Chart("epoch", "top-1 error, %", marks, base, zero_y=False, join=True))
    return charts


def _subtitle(found: Trained) -> list[str]:
    epochs = found.records[0].epochs
    data = DATA_NAMES.get(found.plan.data, found.plan.data)
    runs = sorted({len(cell.runs) for cell in found.cells})
    many = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    return [
        f"{data}, {epochs} epochs, {many} runs a network; bars: one standard deviation. Small networks, a short training."
    ]


def _forest(
    found: Trained,
    estimates: dict[str, list[tuple[tuple[float, ...], Estimate]]],
    artifact: Artifact,
    folder: Path,
) -> list[Path]:
    """A row a strategy, a line in it each size: its mean difference from the reference with the
    interval, over the band within which both count as alike. Sizes are never pooled here: a mean
    of both would hide a change of sign."""
    reference, margin = artifact.drawing["reference"], artifact.drawing["margin"]
    height = 2.25 + 0.42 * len(estimates)
    with house_style():
        figure = Figure(figsize=(7.2, height))
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        figure.subplots_adjust(left=0.13, right=0.97, top=1 - 1.2 / height, bottom=0.62 / height)
        data = DATA_NAMES.get(found.plan.data, found.plan.data)
        said = [
            f"mean of {data} runs paired by base and seed; bars: {LEVEL:.0%} interval; "
            f"grey: ±{margin:g} points, alike",
            *(_size_in_words(found, size, reference, i) for i, size in enumerate(found.sizes)),
        ]
        figure.text(
            0.02,
            1 - 0.22 / height,
            f"Top-1 error minus that of {reference}",
            fontsize=11,
            fontweight="bold",
            va="center",
        )
        for line, text in enumerate(said):
            down = 0.5 + 0.2 * line
            figure.text(0.02, 1 - down / height, text, fontsize=8.5, color=GREY, va="center")
        ax.axvspan(-margin, margin, color=PALE, alpha=0.6, zorder=0)
        ax.axvline(0, color=GREY, linewidth=0.8, zorder=1)
        for row, (strategy, each) in enumerate(estimates.items()):
            look = strategy_look(strategy)
            for size, e in each:
                place = found.sizes.index(size[0])
                ax.errorbar(
                    [e.mean],
                    [row + 0.32 * (place - (len(found.sizes) - 1) / 2)],
                    xerr=[[e.mean - e.low], [e.high - e.mean]],
                    color=look.colour,
                    marker=look.marker,
                    markersize=look.size * 0.7,
                    markerfacecolor="white" if place == 0 else look.colour,
                )
        ax.set_yticks(range(len(estimates)), labels=list(estimates))
        ax.set_ylim(len(estimates) - 0.5, -0.5)
        ax.set_xlabel("points of top-1 error; to the right: worse", fontsize=9)
        ax.grid(visible=False, axis="y")
        ax.tick_params(labelsize=9, length=2.5)
        return save_picture(figure, folder, f"{artifact.name}-differences")


def _size_in_words(found: Trained, size: float, reference: str, place: int) -> str:
    own = found.growths(size, reference)
    return (
        f"{'hollow' if place == 0 else 'filled'}: about x{size:g} the flops (multiply-adds), "
        f"{reference} x{min(own):.2f} to x{max(own):.2f}"
    )


_COURSE = "Validation error after each epoch, mean over the seeds, of the base and of the networks with about four times its flops."
