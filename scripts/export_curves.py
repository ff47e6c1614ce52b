"""What a run showed in TensorBoard, as CSV: one row an epoch, to be drawn by an artifact whose drawing is `curves`.

.venv/bin/python scripts/export_curves.py runs/NAME/seed0 [--out paper_figures/records/curves]
"""

import argparse
import csv
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fastscale.paper.curves import COLUMNS

SCALARS = [name for name in COLUMNS if name != "epoch"]


def main() -> int:
    """Writes <run>-seed<k>.csv; of an epoch's values the last counts, so that an interrupted run's repeated ones do not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("paper_figures/records/curves"))
    args = parser.parse_args()
    events = EventAccumulator(str(args.run), size_guidance={"scalars": 0})
    events.Reload()
    found = {name: {e.step: e.value for e in events.Scalars(name)} for name in SCALARS if name in events.Tags()["scalars"]}
    if set(found) != set(SCALARS):
        print(f"error: {args.run}: no such curves there ({', '.join(sorted(set(SCALARS) - set(found)))})", file=sys.stderr)
        return 2
    steps = sorted(set.intersection(*(set(values) for values in found.values())))
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{args.run.parent.name}-{args.run.name}.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for epoch, step in enumerate(steps, start=1):
            writer.writerow([epoch, *(f"{found[name][step]:.6g}" for name in SCALARS)])
    print(f"{path}: {len(steps)} epochs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
