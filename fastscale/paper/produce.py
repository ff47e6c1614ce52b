"""Everything that is drawn, made from code, references and committed records: tables, figures, comparisons, verdicts, the index."""

from collections.abc import Collection, Sequence
from pathlib import Path

from fastscale.home import home
from fastscale.paper.artifacts import Artifact, list_artifacts, load_artifact
from fastscale.paper.growth import group_width_table, growth_table
from fastscale.paper.parity import parity_table
from fastscale.paper.places import write_text
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
from fastscale.records.committed import facts


def produce(folder: Path, names: Collection[str] | None = None) -> list[Path]:
    """Writes into `folder` the artifacts called `names` (None: all), then claims and index; returns the paths.

    With `names`, the paths are those of these artifacts alone. Raises InputError where records, references or declarations are unusable.
    """
    records = facts()
    chosen = [load_artifact(name) for name in (list_artifacts() if names is None else names)]
    paths = [path for artifact in chosen for path in produce_artifact(artifact, records, folder)]
    if names is None:
        return paths + _summaries(records, folder)
    if (folder / "README.md").is_file():  # of all artifacts: renewed where it lies, not begun
        _summaries(records, folder)
    return paths


def produce_artifact(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
    """Writes one artifact's files into their places under `folder`."""
    if artifact.kind == "figure":
        return _draw(artifact, records, folder / Path(artifact.outputs[0]).parent)
    if artifact.kind == "comparison":
        path = snapshot(artifact.name)
        if not path.is_file():
            return []
        from fastscale.paper.quick import (
            draw_quick,
        )  # loads matplotlib, which the tables do not need

        return draw_quick(read_records(path), folder / artifact.name, artifact)
    return [path for table in tables_of(artifact) for path in write_table(table, folder / "tables")]


def draw_artifact(artifact: Artifact, tier: str, records: Sequence[Record]) -> list[Path]:
    """Keeps the records of a reproduced artifact in its snapshot and draws it in place; returns the paths.

    A comparison's snapshot holds these records alone. A figure's keeps what other devices gave; of one fact the newer record replaces the
    older. Raises InputError where they contradict another snapshot.
    """
    path = home().figures / "records" / f"{artifact.name}.jsonl"
    if artifact.kind == "comparison":
        from fastscale.paper.quick import draw_quick

        write_snapshot(path, records)
        return draw_quick(records, artifact=artifact, tier=tier)
    known = snapshot(artifact.name)
    kept = read_records(known) if known.is_file() else []
    write_snapshot(path, latest([*kept, *records]))
    return produce(home().figures, [artifact.name])


def tables_of(artifact: Artifact) -> list[Table]:
    """The tables of an artifact that is made of tables alone."""
    if artifact.kind == "theory":
        return [theory_table(artifact)] + ([growth_table(artifact)] if artifact.growth else [])
    if artifact.kind == "group-width":
        return [group_width_table(artifact), growth_table(artifact)]
    if artifact.kind == "definitions":
        return [definitions()]
    measured = [runtime_law(), parity_table(facts())]
    return [
        published_counts(),
        zoo_counts(),
        digitised_counts(),
        network_counts(),
        *measured,
    ]


def snapshot(artifact: str) -> Path:
    """The committed records that an artifact's figures are drawn from."""
    return home().found("records", f"{artifact}.jsonl")


def _draw(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
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
    return draw(artifact, records, folder)


def _summaries(records: Sequence[Record], folder: Path) -> list[Path]:
    """claims.md, .csv, .tex, README.md and report.html."""
    from fastscale.paper.claims_table import claims_table
    from fastscale.paper.gallery import index
    from fastscale.paper.report import write_report
    from fastscale.paper.verdicts import verdicts

    found = verdicts(records)
    paths = [
        *write_table(claims_table(found), folder),
        write_text(folder / "README.md", index(records, found)),
    ]
    return [*paths, write_report(folder / "report.html")]
