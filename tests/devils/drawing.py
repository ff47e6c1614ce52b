"""A checkout to draw in, and the last step of `reproduce` there: snapshot, tables and figures."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.devils.nursery import ROOT


def draw_quick(words: Sequence[str]) -> int:
    """Draw the artifact `quick` in the checkout words[0] from the records committed there."""
    from fastscale.home import using_home
    from fastscale.paper import draw_artifact, load_artifact, snapshot
    from fastscale.records import read_records

    with using_home(words[0]):
        draw_artifact(load_artifact("quick"), "quick", read_records(snapshot("quick")))
    return 0


def bytes_of(folder: Path, *left_out: str) -> dict[str, bytes]:
    """Every file below, except locks, logs and paths that contain a word of `left_out`."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
        and not p.name.endswith((".lock", ".log"))
        and not any(word in str(p.relative_to(folder)) for word in left_out)
    }


def checkout(folder: Path, made: Any) -> None:
    """Copy everything that tables and figures are made from."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name in ("reference", "records"):
        shutil.copytree(ROOT / "paper_figures" / name, folder / "paper_figures" / name)
    shutil.copy(ROOT / "paper_figures" / "README.md", folder / "paper_figures")


def drawn(folder: Path) -> Any:
    return bytes_of(folder / "paper_figures")
