"""The smoke tier: every count, table and figure made again from nothing but code, references and committed records, and compared.

`smoke` says what differs from what is committed, one line a file; `regenerate` writes it in place. Seconds, no data, no training, no torch.
"""

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from fastscale.home import home, using_home
from fastscale.paper.artifacts import Theory, list_artifacts, load_artifact
from fastscale.paper.build import produce
from fastscale.paper.links import broken_links
from fastscale.paper.tables.published import zoo_counts
from fastscale.paper.tables.theory import theory_table

# Text has to be equal to the byte, an SVG too. A PNG's pixels have to be equal but for the last of
# 255 levels, which another processor rounds another way (seen: 2 to 5 pixels of a picture).
PICTURES = (".png",)
ROUNDING = 1.5 / 255
_PNG_CHUNKS = (b"IHDR", b"pHYs", b"PLTE", b"IDAT", b"IEND")


def smoke(out: Path | None = None, check: bool = True) -> list[str]:
    """Makes everything again in `out` (a temporary folder) and returns the differences from what is committed; none is a pass.

    `check=False` only makes it. Raises InputError where references, records or declarations are unusable.
    """
    root = home().checkout
    with tempfile.TemporaryDirectory() as folder, using_home(root):
        out = out or Path(folder)
        found: list[str] = []
        made = produce(out, meanwhile=lambda: found.extend(_counted() if check else []))
        return sorted(found + _differences(made, out)) + _broken(made, out) if check else []


def _counted() -> list[str]:
    from fastscale.paper.tables.runtime_law import device_differences  # numpy

    return count_differences() + device_differences()


def _differences(made: Sequence[Path], out: Path) -> list[str]:
    committed = home().figures
    differences = [
        d
        for path in made
        if (d := difference(committed / path.relative_to(out), path, str(path.relative_to(out))))
    ]
    expected = {path.relative_to(out) for path in made}
    for folder in ("tables", "figures", *_comparisons()):
        found = sorted(path for path in (committed / folder).glob("*") if path.is_file())
        differences += [
            f"{p.relative_to(committed)}: nothing makes this file"
            for p in found
            if p.relative_to(committed) not in expected
        ]
    return differences


def _broken(made: Sequence[Path], out: Path) -> list[str]:
    """Links that lead nowhere; the files that were compared already are not asked again."""
    compared = {(home().figures / path.relative_to(out)).resolve() for path in made}
    return broken_links(home().checkout, compared)


def count_differences() -> list[str]:
    """Where ours is not the published figure: exponents of Tables 1, 2 and 4, and the zoo's counts, which have to agree to the unit."""
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
    """Writes in place the tables and figures of the artifacts called `names` (None: all), claims and index; returns their paths."""
    return produce(home().figures, names)


def difference(committed: Path, made: Path, name: str) -> str | None:
    """One line that says how the committed file differs from the one just made; None where it does not."""
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
            return f"{name}, line {number}: committed {_short(old, new)!r}, made again {_short(new, old)!r}"
    return (
        f"{name}: committed {len(theirs.splitlines())} lines, made again {len(ours.splitlines())}"
    )


def _picture_difference(ours: bytes, theirs: bytes, name: str) -> str | None:
    import io

    import numpy
    from matplotlib.image import imread

    try:
        new, old = imread(io.BytesIO(ours), format="png"), imread(io.BytesIO(theirs), format="png")
    except (OSError, SyntaxError, ValueError):
        return f"{name}: committed file is not a PNG"
    if new.shape != old.shape:
        return f"{name}: committed {old.shape[1]} x {old.shape[0]} pixels, made again {new.shape[1]} x {new.shape[0]}"
    differing = int(numpy.any(abs(new - old) > ROUNDING, axis=-1).sum())
    if differing:
        return f"{name}: {differing} of {new.shape[0] * new.shape[1]} pixels differ"
    strange = [kind.decode("latin1") for kind in png_chunks(theirs) if kind not in _PNG_CHUNKS]
    return f"{name}: committed file carries metadata ({', '.join(strange)})" if strange else None


def png_chunks(content: bytes) -> list[bytes]:
    """The types of a PNG's chunks in order: a file of ours holds pixels and nothing about who made it or when."""
    kinds, at = [], 8
    while at + 8 <= len(content):
        kinds.append(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return kinds


def _short(line: bytes, other: bytes, room: int = 60) -> str:
    """The part of a long line around its first difference from the other."""
    start = next(
        (i for i, (a, b) in enumerate(zip(line, other, strict=False)) if a != b),
        min(len(line), len(other)),
    )
    begin = max(0, start - 20)
    return line[begin : begin + room].decode("utf-8", errors="replace")


def _comparisons() -> list[str]:
    return [name for name in list_artifacts() if load_artifact(name).kind == "comparison"]
