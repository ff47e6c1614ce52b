"""The quick comparison as a reader finds it in paper_figures/quick: tables, figures, and a text that says what may be concluded."""

from collections.abc import Sequence
from pathlib import Path

from fastscale.home import home
from fastscale.paper.artifacts import Artifact, load_artifact
from fastscale.paper.comparison import Comparison, compare
from fastscale.paper.comparison_figures import error_figure, time_figures
from fastscale.paper.comparison_tables import (
    comparison_table,
    correlation_table,
    paper_correlations,
)
from fastscale.paper.places import write_text
from fastscale.paper.tables import Table, to_markdown, write_table
from fastscale.records import Record


def draw_quick(
    records: Sequence[Record],
    folder: Path | None = None,
    artifact: Artifact | None = None,
    tier: str = "quick",
) -> list[Path]:
    """Writes tables, figures and summary.md from the records into `folder` (paper_figures/quick); returns the paths.

    The same records give the same bytes. A declared output that these records cannot give is removed, not left from an earlier run.
    Raises InputError where the records do not fit together (see `compare`).
    """
    artifact = artifact or load_artifact("quick")
    folder = folder or home().figures / artifact.name
    comparison = compare(records, artifact, tier)
    paper = paper_correlations()
    table, correlation = (
        comparison_table(comparison, artifact),
        correlation_table(comparison, paper),
    )
    paths = write_table(table, folder) + write_table(correlation, folder)
    paths += error_figure(comparison, folder) + time_figures(comparison, paper, folder)
    paths.append(
        write_text(
            folder / "summary.md",
            summary(comparison, artifact, table, correlation, [p.name for p in paths]),
        )
    )
    for output in artifact.outputs:
        for stale in folder.glob(f"{Path(output).name}.*"):
            if stale not in paths:
                stale.unlink()
    return paths


def quick_tables(
    records: Sequence[Record],
    artifact: Artifact | None = None,
    tier: str = "quick",
) -> tuple[Table, Table]:
    """(comparison, correlation) of the records, for a terminal (`render_terminal`). Raises InputError as `draw_quick` does."""
    artifact = artifact or load_artifact("quick")
    comparison = compare(records, artifact, tier)
    return comparison_table(comparison, artifact), correlation_table(
        comparison, paper_correlations()
    )


def summary(
    comparison: Comparison,
    artifact: Artifact,
    table: Table,
    correlations: Table,
    made: Sequence[str],
) -> str:
    """summary.md: the tables, the figures that were drawn, and what may and what may not be concluded."""
    parts = [f"# {artifact.title}", "", artifact.shows.strip(), "", to_markdown(table)]
    pictures = [name for name in ("error-vs-flops", "epoch-time-vs-all") if f"{name}.svg" in made]
    for name in pictures:
        parts += [f"![{name}]({name}.svg)", ""]
    parts += [to_markdown(correlations), _conclusion(comparison)]
    return "\n".join(parts).rstrip() + "\n"


def _conclusion(comparison: Comparison) -> str:
    errors = "Errors are those of a tiny network on small images after a short training"
    if not comparison.on_cpu:
        return f"{errors}; times are those of the device named, not of the paper's."
    return (
        f"**Measured on a CPU ({comparison.environment('device')}).** The paper's claim, that run time follows activations, is about "
        "memory-bound accelerators. These times are no confirmation of it, and no refutation, whatever r they give with this few networks: "
        "in other people's measurements (timm) flops predict run time better than acts on one CPU, and about as well on another. What "
        f"carries over from here is the growth of acts, which is counted, not timed. {errors}."
    )
