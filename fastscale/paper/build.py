"""Builds artifacts from code, references and committed records, and writes their files.

An artifact becomes pages (see `chart`). Each page is written as Markdown, its pictures as SVG and
PNG, its tables as CSV and LaTeX. No other module of this package writes them.
"""

import gc
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial, singledispatch
from multiprocessing import get_context
from pathlib import Path

from fastscale.common import die_with_parent, write_whole
from fastscale.home import home
from fastscale.paper.artifacts import (
    DRAWINGS,
    Artifact,
    Comparison,
    Counts,
    Definitions,
    Figure,
    GroupWidth,
    Theory,
    list_artifacts,
    load_artifact,
)
from fastscale.paper.chart import Page
from fastscale.paper.pages import page as markdown
from fastscale.paper.tables.table import Table, to_csv, to_latex
from fastscale.records import Record, latest, read_records, write_snapshot
from fastscale.records.committed import facts
from fastscale.records.environment import cores


def produce(
    folder: Path,
    names: Collection[str] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Writes artifacts (default: all), claims and index into `folder`; returns the paths.

    With `names`, returns only the paths of these artifacts. Calls `meanwhile` while other processes
    draw. Raises InputError if records, references or declarations are unusable.
    """
    records = facts()
    chosen = [load_artifact(name) for name in (list_artifacts() if names is None else names)]
    summaries: list[Path] = []

    def summarise() -> None:
        # they cover all artifacts: a folder of some artifacts only gets them if it has them already
        if names is None or (folder / "README.md").is_file():
            summaries.extend(_summaries(records, folder))
        meanwhile()

    paths = [path for made in _produce_each(chosen, records, folder, summarise) for path in made]
    return paths + summaries if names is None else paths


def _produce_each(
    artifacts: Sequence[Artifact],
    records: Sequence[Record],
    folder: Path,
    meanwhile: Callable[[], None],
) -> list[list[Path]]:
    """Calls `produce_artifact` on each: pictures in one process per core, tables in this process.

    Tables and `meanwhile` share fitted laws. Uses only this process for fewer than two artifacts
    with pictures, and if torch is loaded: its threads do not survive a fork.
    """
    make = partial(produce_artifact, records=records, folder=folder)
    drawn = [artifact for artifact in artifacts if isinstance(artifact, Figure | Comparison)]
    if min(len(drawn), cores()) < 2 or sys.platform != "linux" or "torch" in sys.modules:
        all_made = [make(artifact) for artifact in artifacts]
        meanwhile()
        return all_made
    import scipy.special  # noqa: F401  (loaded once for all, like matplotlib)

    import fastscale.paper.render  # noqa: F401

    with ProcessPoolExecutor(min(cores(), 8), get_context("fork"), _begin) as pool:
        pictures = pool.map(make, drawn)
        made = {artifact.name: make(artifact) for artifact in artifacts if artifact not in drawn}
        meanwhile()
        made |= zip((artifact.name for artifact in drawn), pictures, strict=True)
    return [made[artifact.name] for artifact in artifacts]


def _begin() -> None:
    die_with_parent()
    gc.disable()  # saves a seventh of the time; the process lives for seconds


def produce_artifact(artifact: Artifact, records: Sequence[Record], folder: Path) -> list[Path]:
    """Writes one artifact's files under `folder`; returns the paths."""
    return write_pages(artifact, pages(artifact, records), folder)


def draw_artifact(artifact: Artifact, tier: str, records: Sequence[Record]) -> list[Path]:
    """Saves a reproduced artifact's records in its snapshot and draws it in place.

    Returns the paths. A comparison's snapshot is replaced. A figure's snapshot keeps the records of
    other devices, and a newer record replaces an older one of the same fact. Raises InputError if
    the records contradict another snapshot.
    """
    path = home().figures / "records" / f"{artifact.name}.jsonl"
    if isinstance(artifact, Comparison):
        from fastscale.paper.quick import comparison_pages

        made = comparison_pages(records, artifact, tier)
        write_snapshot(path, records)
        return write_pages(artifact, made, home().figures)
    known = snapshot(artifact.name)
    kept = read_records(known) if known.is_file() else []
    write_snapshot(path, latest([*kept, *records]))
    return produce(home().figures, [artifact.name])


def snapshot(artifact: str) -> Path:
    """The committed records that an artifact's figures are drawn from."""
    return home().found("records", f"{artifact}.jsonl")


@singledispatch
def pages(artifact: Artifact, records: Sequence[Record]) -> list[Page]:
    """The pages of an artifact, by its kind."""
    raise NotImplementedError(artifact.kind)


@pages.register
def _(artifact: Figure, records: Sequence[Record]) -> list[Page]:
    _, draw = DRAWINGS.kind(artifact.drawing.by)
    return draw(artifact, artifact.drawing, records)


@pages.register
def _(artifact: Comparison, records: Sequence[Record]) -> list[Page]:
    from fastscale.paper.quick import comparison_pages

    path = snapshot(artifact.name)
    return comparison_pages(read_records(path), artifact) if path.is_file() else []


@pages.register
def _(artifact: Theory, records: Sequence[Record]) -> list[Page]:
    from fastscale.paper.tables.growth import growth_table
    from fastscale.paper.tables.theory import theory_table

    return _each(theory_table(artifact), *([growth_table(artifact)] if artifact.growth else []))


@pages.register
def _(artifact: GroupWidth, records: Sequence[Record]) -> list[Page]:
    from fastscale.paper.tables.growth import group_width_table, growth_table

    return _each(group_width_table(artifact), growth_table(artifact))


@pages.register
def _(artifact: Definitions, records: Sequence[Record]) -> list[Page]:
    from fastscale.paper.tables.definitions import definitions

    return _each(definitions())


@pages.register
def _(artifact: Counts, records: Sequence[Record]) -> list[Page]:
    from fastscale.paper.tables import published
    from fastscale.paper.tables.parity import parity_table
    from fastscale.paper.tables.runtime_law import runtime_law  # numpy

    counts = published.published_counts, published.zoo_counts, published.digitised_counts
    counted = [table() for table in (*counts, published.network_counts)]
    return _each(*counted, runtime_law(), parity_table(records))


def _each(*tables: Table) -> list[Page]:
    return [Page(table.name, tables=[table]) for table in tables]


def write_pages(artifact: Artifact, made: Sequence[Page], root: Path) -> list[Path]:
    """Writes an artifact's pages into its folder under `root`; returns the paths.

    The same pages give the same bytes. Removes files of declared outputs that the pages no longer
    hold.
    """
    folder = root / Path(artifact.outputs[0]).parent
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str | bytes] = {}
    for page in made:
        for name, picture in page.pictures.items():
            from fastscale.paper.render import files as drawn  # matplotlib

            files |= {f"{name}.{kind}": content for kind, content in drawn(picture).items()}
        files[f"{page.name}.md"] = markdown(page.template, page=page)
        for table in page.tables:
            files |= {f"{table.name}.csv": to_csv(table), f"{table.name}.tex": to_latex(table)}
    for output in artifact.outputs if made else ():
        for stale in folder.glob(f"{Path(output).name}.*"):
            if stale.name not in files and stale.suffix != ".part":  # another process writes it
                stale.unlink(missing_ok=True)
    return [write_whole(folder / name, content) for name, content in files.items()]


def _summaries(records: Sequence[Record], folder: Path) -> list[Path]:
    """claims.md, .csv, .tex, README.md and report.html."""
    from fastscale.paper.report import write_report
    from fastscale.paper.tables.claims import METHOD, claims_table, evidence, grouped, sentences
    from fastscale.paper.verdicts import verdicts

    folder.mkdir(parents=True, exist_ok=True)
    found = verdicts(records)
    table = claims_table(found)
    files = {
        "claims.md": markdown(
            "claims",
            sentences=sentences(found),
            groups=grouped(found),
            pages={name: f"{load_artifact(name).outputs[0]}.md" for name in list_artifacts()},
            evidence=evidence,
            method=METHOD,
        ),
        "claims.csv": to_csv(table),
        "claims.tex": to_latex(table),
        "README.md": index(records, found, sentences(found)),
    }
    paths = [write_whole(folder / name, content) for name, content in files.items()]
    return [*paths, write_report(folder / "report.html")]


def index(records: Sequence[Record], found: Sequence, sentences: Sequence[str]) -> str:
    """README.md of paper_figures: `sentences` on the claims, then each artifact with verdicts."""
    artifacts = sorted(map(load_artifact, list_artifacts()), key=lambda a: (a.order, a.name))
    return markdown(
        "index",
        kept=home().records.is_dir(),  # without the folder there is nothing to link to
        sentences=sentences,
        records=records,
        verdicts=found,
        figures=[(a, a.drawing.names(a, records)) for a in artifacts if isinstance(a, Figure)],
        tables=[a for a in artifacts if not isinstance(a, Figure | Comparison)],
        comparisons=[
            (a, snapshot(a.name).is_file()) for a in artifacts if isinstance(a, Comparison)
        ],
    )
