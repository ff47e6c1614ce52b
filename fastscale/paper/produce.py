"""Everything that is drawn, made from code, references and committed records: tables, figures, comparisons, verdicts, the index."""

from collections.abc import Collection, Sequence
from pathlib import Path

from fastscale.paper.artifacts import Artifact, list_artifacts, load_artifact
from fastscale.paper.evidence import committed_records
from fastscale.paper.growth import group_width_table, growth_table
from fastscale.paper.parity import parity_table
from fastscale.paper.places import checkout, write_text
from fastscale.paper.published import (
    definitions,
    digitised_counts,
    network_counts,
    published_counts,
    zoo_counts,
)
from fastscale.paper.runtime_law import runtime_law
from fastscale.paper.tables import Table, write_table
from fastscale.paper.theory import theory_table
from fastscale.records import Record, latest, read_records, write_snapshot


def produce(folder: Path, root: Path, names: Collection[str] | None = None) -> list[Path]:
    """Writes into `folder` the artifacts called `names` (None: all), then claims and index; returns the paths.

    With `names`, the paths are those of these artifacts alone. Raises InputError where records, references or declarations are unusable.
    """
    records = committed_records(root)
    chosen = [
        load_artifact(name, root) for name in (list_artifacts(root) if names is None else names)
    ]
    paths = [
        path for artifact in chosen for path in produce_artifact(artifact, records, folder, root)
    ]
    summaries = _summaries(records, folder, root)
    return paths + summaries if names is None else paths


def produce_artifact(
    artifact: Artifact, records: Sequence[Record], folder: Path, root: Path | None = None
) -> list[Path]:
    """Writes one artifact's files into their places under `folder`."""
    if artifact.kind == "figure":
        return _draw(artifact, records, folder / Path(artifact.outputs[0]).parent, root)
    if artifact.kind == "comparison":
        path = snapshot(artifact.name, root)
        if not path.is_file():
            return []
        from fastscale.paper.quick import (
            draw_quick,
        )  # loads matplotlib, which the tables do not need

        return draw_quick(read_records(path), folder / artifact.name, artifact, root=root)
    return [
        path
        for table in tables_of(artifact, root)
        for path in write_table(table, folder / "tables")
    ]


def draw_artifact(
    artifact: Artifact, tier: str, records: Sequence[Record], root: Path | None = None
) -> list[Path]:
    """Keeps the records of a reproduced artifact in its snapshot and draws it in place; returns the paths.

    A comparison's snapshot holds these records alone. A figure's keeps what other devices gave; of one fact the newer record replaces the
    older. Raises InputError where they contradict another snapshot.
    """
    root = checkout(root)
    path = snapshot(artifact.name, root)
    if artifact.kind == "comparison":
        from fastscale.paper.quick import draw_quick

        write_snapshot(path, records)
        return draw_quick(records, artifact=artifact, tier=tier, root=root)
    kept = read_records(path) if path.is_file() else []
    write_snapshot(path, latest([*kept, *records]))
    return produce(root / "paper_figures", root, [artifact.name])


def tables_of(artifact: Artifact, root: Path | None = None) -> list[Table]:
    """The tables of an artifact that is made of tables alone."""
    if artifact.kind == "theory":
        return [theory_table(artifact, root)] + (
            [growth_table(artifact)] if artifact.growth else []
        )
    if artifact.kind == "group-width":
        return [group_width_table(artifact), growth_table(artifact)]
    if artifact.kind == "definitions":
        return [definitions(root)]
    measured = [runtime_law(root), parity_table(committed_records(root))]
    return [
        published_counts(root),
        zoo_counts(root),
        digitised_counts(root),
        network_counts(),
        *measured,
    ]


def snapshot(artifact: str, root: Path | None = None) -> Path:
    """The committed records that an artifact's figures are drawn from."""
    return checkout(root) / "paper_figures" / "records" / f"{artifact}.jsonl"


def _draw(
    artifact: Artifact, records: Sequence[Record], folder: Path, root: Path | None
) -> list[Path]:
    """By the drawing that is declared; each loads what it needs (matplotlib; torch for the blocks)."""
    by = artifact.drawing.get("by")
    if by == "panels":
        from fastscale.paper.panels import draw_panels as draw
    elif by == "runtime":
        from fastscale.paper.runtime import draw_runtime as draw
    elif by == "accelerators":
        from fastscale.paper.accelerators import draw_accelerators as draw
    elif by == "curves":
        from fastscale.paper.curves import draw_curves as draw
    elif by == "paired":
        from fastscale.paper.paired_figure import draw_paired as draw
    else:
        from fastscale.paper.blocks_figure import draw_blocks as draw
    return draw(artifact, records, folder, root)


def _summaries(records: Sequence[Record], folder: Path, root: Path) -> list[Path]:
    """claims.md, .csv, .tex, README.md and report.html."""
    from fastscale.paper.claims_table import claims_table
    from fastscale.paper.gallery import index
    from fastscale.paper.report import write_report
    from fastscale.paper.verdicts import verdicts

    found = verdicts(records, root)
    paths = [
        *write_table(claims_table(found), folder),
        write_text(folder / "README.md", index(records, found, root)),
    ]
    return [*paths, write_report(folder / "report.html", root=root)]
