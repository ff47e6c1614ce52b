"""The smoke tier: rebuilds every table and figure and compares them with the committed files.

`smoke` returns the differences, one line per file. `rewrite` writes changed files in place, and
`regenerate` those of one artifact. It takes seconds and needs no data, training or torch.
"""

import tempfile
from collections.abc import Collection
from pathlib import Path

from fastscale.common import write_whole
from fastscale.home import home, using_home
from fastscale.paper.artifacts import Theory, list_artifacts, load_artifact
from fastscale.paper.build import produce
from fastscale.paper.links import broken_links
from fastscale.paper.tables.published import zoo_counts
from fastscale.paper.tables.theory import theory_table

# Text and SVG must be equal to the byte. The pixels of a PNG may differ in the last of 255 levels,
# which processors round differently (seen in 2 to 5 pixels of a picture).
PICTURES = (".png",)
ROUNDING = 1.5 / 255
_PNG_CHUNKS = (b"IHDR", b"pHYs", b"PLTE", b"IDAT", b"IEND")


def smoke(out: Path | None = None) -> list[str]:
    """Rebuilds everything in `out` (default: a temporary folder); returns one line per difference.

    Raises InputError if references, records or declarations are unusable.
    """
    differing, wrong, broken = _again(out)
    return sorted([*differing.values(), *wrong]) + broken


def rewrite() -> tuple[list[str], list[str]]:
    """Replaces each committed file that differs.

    Returns how these differed, and the faults that drawing does not fix: counts that differ from
    the published ones, files that nothing makes, broken links.
    """
    differing, wrong, broken = _again(write=True)
    return sorted(differing.values()), sorted(wrong) + broken


def _again(
    out: Path | None = None, write: bool = False
) -> tuple[dict[Path, str], list[str], list[str]]:
    """Rebuilds everything: (difference of each changed file, other faults, broken links)."""
    with tempfile.TemporaryDirectory() as folder, using_home(home().checkout):
        out = out or Path(folder)
        wrong: list[str] = []
        made = produce(out, meanwhile=lambda: wrong.extend(_counted()))
        names = [path.relative_to(out) for path in made]
        differing = {
            name: line
            for name in names
            if (line := difference(home().figures / name, out / name, str(name)))
        }
        for name in differing if write else ():
            (home().figures / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(home().figures / name, (out / name).read_bytes())
        return differing, wrong + _unknown(names), _broken(names)


def _counted() -> list[str]:
    from fastscale.paper.tables.runtime_law import device_differences  # numpy

    return count_differences() + device_differences()


def _unknown(names: Collection[Path]) -> list[str]:
    """Files in the output folders that were not made."""
    committed = home().figures
    found = [
        path.relative_to(committed)
        for folder in ("tables", "figures", *_comparisons())
        for path in sorted((committed / folder).glob("*"))
        if path.is_file()
    ]
    return [f"{name}: nothing makes this file" for name in found if name not in names]


def _broken(names: Collection[Path]) -> list[str]:
    """Broken links, without those to compared files, which are reported already."""
    return broken_links(home().checkout, {(home().figures / name).resolve() for name in names})


def count_differences() -> list[str]:
    """Differences from published numbers: exponents of Tables 1, 2 and 4, and the zoo's counts."""
    artifacts = [load_artifact(name) for name in list_artifacts()]
    tables = [theory_table(artifact) for artifact in artifacts if type(artifact) is Theory]
    found = []
    for table in [*tables, zoo_counts()]:
        for i, column in enumerate(table.columns):
            if "difference" in column.key:
                found += [
                    f"{table.name}, {row[0]}: {column.key} is {row[i]}"
                    for row in table.rows
                    if row[i]
                ]
    return found


def regenerate(names: Collection[str] | None = None) -> list[Path]:
    """Writes artifacts (default: all), claims and index in place; returns the paths."""
    return produce(home().figures, names)


def difference(committed: Path, made: Path, name: str) -> str | None:
    """One line on how the committed file differs from the one just made; None if it does not."""
    if not committed.is_file():
        return f"{name}: missing"
    ours, theirs = made.read_bytes(), committed.read_bytes()
    if ours == theirs:
        return None
    if made.suffix in PICTURES:
        return _picture_difference(ours, theirs, name)
    for number, (new, old) in enumerate(
        zip(ours.splitlines(), theirs.splitlines(), strict=False), start=1
    ):
        if new != old:
            return (
                f"{name}, line {number}: committed {_short(old, new)!r}, "
                f"rebuilt {_short(new, old)!r}"
            )
    return f"{name}: committed {len(theirs.splitlines())} lines, rebuilt {len(ours.splitlines())}"


def _picture_difference(ours: bytes, theirs: bytes, name: str) -> str | None:
    import io

    import numpy
    from matplotlib.image import imread

    try:
        new, old = imread(io.BytesIO(ours), format="png"), imread(io.BytesIO(theirs), format="png")
    except (OSError, SyntaxError, ValueError):
        return f"{name}: committed file is not a PNG"
    if new.shape != old.shape:
        return (
            f"{name}: committed {old.shape[1]} x {old.shape[0]} pixels, "
            f"rebuilt {new.shape[1]} x {new.shape[0]}"
        )
    differing = int(numpy.any(abs(new - old) > ROUNDING, axis=-1).sum())
    if differing:
        return f"{name}: {differing} of {new.shape[0] * new.shape[1]} pixels differ"
    strange = [kind.decode("latin1") for kind in png_chunks(theirs) if kind not in _PNG_CHUNKS]
    return f"{name}: committed file carries metadata ({', '.join(strange)})" if strange else None


def png_chunks(content: bytes) -> list[bytes]:
    """The types of a PNG's chunks in order; our files hold pixels and no other metadata."""
    kinds, at = [], 8
    while at + 8 <= len(content):
        kinds.append(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return kinds


def _short(line: bytes, other: bytes, room: int = 60) -> str:
    """The part of a line around its first difference from the other."""
    start = next(
        (i for i, (a, b) in enumerate(zip(line, other, strict=False)) if a != b),
        min(len(line), len(other)),
    )
    begin = max(0, start - 20)
    return line[begin : begin + room].decode("utf-8", errors="replace")


def _comparisons() -> list[str]:
    return [name for name in list_artifacts() if load_artifact(name).kind == "comparison"]
