"""The course of one training run: errors of raw and averaged weights, and the loss, by epoch.

    drawing:
      by: curves
      runs: [{run: regnety-500mf.dwr-x0.03.imagenette-60ep, seed: 0}]

A run's record stands in paper_figures/records/<artifact>.jsonl, its curve in paper_figures/records/curves/<run>-seed<k>.csv, which
scripts/export_curves.py writes from what the run showed in TensorBoard. The curve has to end at the record's errors.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from fastscale.archs.names import canonical
from fastscale.common import number, read_text
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.chart import Chart, Mark, Page, Picture
from fastscale.paper.declare import Declared, Seed, Text
from fastscale.paper.style import GREY, Look
from fastscale.paper.tables.comparison import DATA_NAMES
from fastscale.paper.tables.table import Column, Table
from fastscale.records import Record

COLUMNS = ("epoch", "train_loss", "learning_rate", "top1_error", "top1_error_ema", "images_per_s")
TOGETHER = (
    "run",
    "seed",
    "epoch",
    "train_loss",
    "learning_rate",
    "top1_error",
    "images_per_s",
)  # many runs in one file
_LINES = {
    "top1_error": Look("#0072B2", "o", 4.0, "raw weights"),
    "top1_error_ema": Look("#D55E00", "^", 4.5, "averaged weights"),
}
_LOSS = Look(GREY, "s", 4.0, "training loss")


class CurveOf(Declared):
    """A run."""

    run: Text
    seed: Seed


class Curves(Drawing):
    """The options."""

    runs: Annotated[tuple[CurveOf, ...], Field(strict=False, min_length=1, max_length=1)]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        """It is one of ours."""
        return "A run of ours."


@drawing("curves", spec=Curves)
def draw_curves(artifact: Figure, spec: Curves, records: Sequence[Record]) -> list[Page]:
    """The picture and the numbers of the run that is declared; nothing where it has no committed record.

    Raises InputError where the curve of a record is missing or ends elsewhere.
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
                f"{artifact.name}: the curve ends at {name} {rows[-1][name]}, the record says {record.values[name]}"
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
        Mark(look, int(row["epoch"]), float(row[name]), ours=True)
        for name, look in _LINES.items()
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
    """What was trained, on what, and how it ended."""
    data = DATA_NAMES.get(record.data or "", record.data)
    network = f"{record.arch}, {record.resolution} px, {record.flops / 1e6:.0f} M multiply-adds; {data}, {record.epochs} epochs, one run"
    return f"{network}; top-1 error {record.values['top1_error']:.2f} %, averaged weights {record.values['top1_error_ema']:.2f} %"


def read_curve(run: str, seed: int) -> list[dict[str, str]]:
    """The rows of a run's curve, one an epoch. Raises InputError where it is missing or has other columns."""
    return _rows(curve_file(f"{run}-seed{seed}"), COLUMNS)


def curve_file(name: str) -> Path:
    """Where a run's curve lies, or that of all runs of an artifact."""
    return home().found("records", "curves", f"{name}.csv")


def errors_by_epoch(path: Path, records: Sequence[Record]) -> dict[tuple[str, int], list[float]]:
    """Top-1 error in % after each epoch, by (run, seed), from a file of many runs (columns TOGETHER).

    Raises InputError where the file is unusable, or the curve of a record is missing in it or ends elsewhere.
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
        again = "evaluated_from" in record.env  # another error than at the end of training
        apart = 0.0 if again else abs(errors[-1] - record.values["top1_error"])
        if len(errors) != record.epochs or apart > 1e-3:
            said = f"{errors[-1]:g} after {len(errors)} epochs, the record says {record.values['top1_error']:g} after {record.epochs}"
            raise InputError(
                f"{path.name}: the curve of {record.run}, seed {record.seed}, ends at {said}"
            )
    return found


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    mend = "restore paper_figures/records/curves"
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True))
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path.name}: cannot read the curve ({reason}); {mend}") from None
    if not rows or any(tuple(row) != tuple(columns) for row in rows):
        raise InputError(f"{path.name}: expected the columns {', '.join(columns)}; {mend}")
    for line, row in enumerate(rows, start=2):
        for name, text in row.items():
            try:
                if name != "run":
                    number(text, 0, 1e9, whole=name in ("epoch", "seed"))
            except ValueError as error:
                raise InputError(f"{path.name}, line {line}, {name}: {error}; {mend}") from None
    return rows
