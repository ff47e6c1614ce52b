"""What `reproduce` does when all runs are finished: the snapshot, then the tables and figures."""

from collections.abc import Sequence


def draw_quick(words: Sequence[str]) -> int:
    """Draws the artifact `quick` in the checkout words[0], of the records committed there."""
    from fastscale.home import using_home
    from fastscale.paper import draw_artifact, load_artifact, snapshot
    from fastscale.records import read_records

    with using_home(words[0]):
        draw_artifact(load_artifact("quick"), "quick", read_records(snapshot("quick")))
    return 0
