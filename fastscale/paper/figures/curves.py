"""Training curves of one run: errors of raw and averaged (EMA) weights, and the loss, by epoch.

    drawing:
      by: curves
      runs: [{run: regnety-500mf.dwr-x0.03.imagenette-60ep, seed: 0}]

The run's record is in paper_figures/records/<artifact>.jsonl and its curve in
paper_figures/records/curves/<run>-seed<k>.csv, which scripts/export_curves.py writes from the run's
TensorBoard logs. The curve must end at the record's errors.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fastscale.archs.names import canonical
from fastscale.common import number, pluralize, read_text
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Mark, Page, Picture
from fastscale.paper.declare import Declared, Seed, Text
from fastscale.paper.style import GREY, Style
from fastscale.paper.tables.comparison import DATA_NAMES
from fastscale.paper.tables.table import Column, Table
from fastscale.records import Record

COLUMNS = ("epoch", "train_loss", "learning_rate", "top1_error", "top1_error_ema", "images_per_s")
# of a file that holds several runs
TOGETHER = ("run", "seed", "epoch", "train_loss", "learning_rate", "top1_error", "images_per_s")
_LINES = {
    "top1_error": Style("#0072B2", "o", 4.0, "raw weights"),
    "top1_error_ema": Style("#D55E00", "^", 4.5, "averaged weights"),
}
_LOSS = Style(GREY, "s", 4.0, "training loss")


class CurveOf(Declared):
    run: Text
    seed: Seed


class Curves(Drawing):
    runs: Annotated[tuple[CurveOf, ...], Field(strict=False, min_length=1, max_length=1)]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        return "A run of ours."


@drawing("curves", spec=Curves)
def draw_curves(artifact: Figure, spec: Curves, records: Sequence[Record]) -> list[Page]:
    """The page of the declared run; no page if it has no committed record.

    Raises InputError if the record's curve is missing or ends at other errors.
    """
    run, seed = canonical(spec.runs[0].run), spec.runs[0].seed
    record = next(
        (r for r in records if r.kind == "train" and (r.run, r.seed) == (run, seed)), None
    )
    if record is None:
        return []
    rows = read_curve(run, seed)
    for name in _LINES:
        if abs(float(rows[-1][name]) - record.values[name]) > 1e-3:
            raise InputError(
                f"{artifact.name}: the curve ends at {name} {rows[-1][name]}, "
                f"the record says {record.values[name]}"
            )
    columns = [
        Column(name, name.replace("_", " ") + (", %" if "error" in name else ""))
        for name in COLUMNS
    ]
    values = [
        [float(row[name]) if name != "epoch" else int(row[name]) for name in COLUMNS]
        for row in rows
    ]
    errors = [
        Mark(style, int(row["epoch"]), float(row[name]), ours=True)
        for name, style in _LINES.items()
        for row in rows
    ]
    loss = [Mark(_LOSS, int(row["epoch"]), float(row["train_loss"]), ours=True) for row in rows]
    picture = Picture(
        artifact.title,
        subtitle(record).split("; ", 1),
        [
            Chart("epoch", "top-1 error, %", errors, join=True),
            Chart("epoch", "training loss", loss, join=True),
        ],
        2,
    )
    return [
        Page(
            artifact.name,
            artifact.title,
            artifact.shows,
            pictures={artifact.name: picture},
            caption=[f"{subtitle(record)}."],
            tables=[Table(artifact.name, artifact.title, columns, values)],
        )
    ]


def subtitle(record: Record) -> str:
    """The network, the data and the final errors."""
    data, values = DATA_NAMES.get(record.data or "", record.data), record.values
    return (
        f"{record.arch}, {record.resolution} px, {record.flops / 1e6:.0f} M multiply-adds; "
        f"{data}, {pluralize(record.epochs or 0, 'epoch')}, one run; top-1 error "
        f"{values['top1_error']:.2f} %, averaged weights {values['top1_error_ema']:.2f} %"
    )


def read_curve(run: str, seed: int) -> list[dict[str, str]]:
    """A run's curve, one row per epoch. Raises InputError if it is missing or has other columns."""
    return _rows(curve_file(f"{run}-seed{seed}"), COLUMNS)


def curve_file(name: str) -> Path:
    """The file with the curve of a run (`<run>-seed<k>`), or of all runs of an artifact."""
    return home().found("records", "curves", f"{name}.csv")


def errors_by_epoch(path: Path, records: Sequence[Record]) -> dict[tuple[str, int], list[float]]:
    """Top-1 error in % after each epoch by (run, seed), from a file with the columns TOGETHER.

    Raises InputError if the file is unusable, or if a record's curve is missing from it or ends at
    another error.
    """
    found: dict[tuple[str, int], list[float]] = {}
    for row in _rows(path, TOGETHER):
        found.setdefault((canonical(row["run"]), int(row["seed"])), []).append(
            float(row["top1_error"])
        )
    for record in records:
        errors = found.get((record.run, record.seed or 0))
        if errors is None:
            raise InputError(f"{path.name}: no curve of {record.run}, seed {record.seed}")
        # a record of a later evaluation has another error than the end of training
        again = "evaluated_from" in record.env
        wanted = record.values["top1_error"]
        apart = 0.0 if again else abs(errors[-1] - wanted)
        if len(errors) != record.epochs or apart > 1e-3:
            raise InputError(
                f"{path.name}: the curve of {record.run}, seed {record.seed}, ends at "
                f"{errors[-1]:g} after {len(errors)} epochs, the record says {wanted:g} after "
                f"{record.epochs}"
            )
    return found


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    fix = "restore paper_figures/records/curves"
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True))
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path.name}: cannot read the curve ({reason}); {fix}") from None
    if not rows or any(tuple(row) != tuple(columns) for row in rows):
        raise InputError(f"{path.name}: expected the columns {', '.join(columns)}; {fix}")
    for line, row in enumerate(rows, start=2):
        for name, text in row.items():
            try:
                if name != "run":
                    number(text, 0, 1e9, whole=name in ("epoch", "seed"))
            except ValueError as error:
                raise InputError(f"{path.name}, line {line}, {name}: {error}; {fix}") from None
    return rows
