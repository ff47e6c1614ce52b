"""What `reproduce` does when all runs are finished: the snapshot, then the tables and figures."""

from collections.abc import Sequence
from pathlib import Path


def draw_quick(words: Sequence[str]) -> int:
    """Draws the artifact `quick` in the checkout words[0], of the records committed there."""
    from fastscale.paper import draw_artifact, load_artifact, snapshot
    from fastscale.records import read_records

    root = Path(words[0])
    records = read_records(snapshot("quick", root))
    draw_artifact(load_artifact("quick", root), "quick", records, root)
    return 0
