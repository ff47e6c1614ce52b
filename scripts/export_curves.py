"""Exports TensorBoard's curves of runs as CSV, for artifacts whose drawing is `curves` or `paired`.

A row an epoch; a file for each run, or one of all with --into:

.venv/bin/python scripts/export_curves.py runs/NAME/seed0 [--out paper_figures/records/curves]
.venv/bin/python scripts/export_curves.py runs/*.cifar10-2ep/seed*
    --into paper_figures/records/curves/evidence-cifar10.csv
"""

import argparse
import csv
import io
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fastscale.common import write_whole
from fastscale.errors import InputError
from fastscale.paper.figures.curves import COLUMNS, TOGETHER
from fastscale.training.runs import RunFolder


def curve(run: Path, names: list[str]) -> list[list[str]]:
    """A row an epoch, numbered from 1.

    The last value of an epoch counts: an interrupted run may have written others before.
    """
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    found = {
        name: {e.step: e.value for e in events.Scalars(name)}
        for name in names
        if name in events.Tags()["scalars"]
    }
    if missing := sorted(set(names) - set(found)):
        raise InputError(f"{run}: no such curves there ({', '.join(missing)})")
    steps = sorted(set.intersection(*(set(values) for values in found.values())))
    return [
        [str(epoch), *(f"{found[name][step]:.6g}" for name in names)]
        for epoch, step in enumerate(steps, start=1)
    ]


def write(path: Path, columns: tuple[str, ...], rows: list[list[str]]) -> None:
    """Replaces the file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_whole(path, text.getvalue())
    print(f"{path}: {len(rows)} epochs")


def main() -> int:
    """Writes <run>-seed<k>.csv for each run, or one file of all runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, default=Path("paper_figures/records/curves"))
    parser.add_argument("--into", type=Path, metavar="FILE", help="one file of all runs")
    args = parser.parse_args()
    if args.into is None:
        for run in args.runs:
            write(
                args.out / f"{run.parent.name}-{run.name}.csv",
                COLUMNS,
                curve(run, list(COLUMNS[1:])),
            )
        return 0
    rows = []
    for run in args.runs:
        record = RunFolder(
            run.parent.parent, run.parent.name, int(run.name.removeprefix("seed"))
        ).record
        if record is None:
            raise InputError(f"{run}: not a finished run")
        rows += [
            [record.run, str(record.seed), *values] for values in curve(run, list(TOGETHER[3:]))
        ]
    rows.sort(key=lambda row: (row[0], int(row[1]), int(row[2])))
    write(args.into, TOGETHER, rows)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
