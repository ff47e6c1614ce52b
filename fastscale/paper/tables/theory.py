"""Tables 1, 2 and 4: growth of flops, params and acts with the factor s, ours beside the paper's.

Ours come from `Strategy.exponents`, the paper's from paper_figures/reference/tables.csv.
"""

from fractions import Fraction

from fastscale.errors import InputError
from fastscale.paper.artifacts import Theory, load_artifact
from fastscale.paper.tables.table import (
    COUNT_HEADERS,
    COUNT_KEYS,
    MEASURES,
    Column,
    Table,
    power,
    share,
)
from fastscale.references import reference
from fastscale.scaling import Strategy


def theory_table(artifact: str | Theory) -> Table:
    """The table of a theory artifact (`table-1`): shares, exponents, largest difference per row.

    Raises InputError if the artifact is of another kind.
    """
    if isinstance(artifact, str):
        loaded = load_artifact(artifact)
        if not isinstance(loaded, Theory):
            raise InputError(f"{artifact} is not a table of exponents")
        artifact = loaded
    number = artifact.name.removeprefix("table-")
    published = {row["strategy"]: row for row in reference("tables") if row["table"] == number}
    columns = [
        Column("strategy", "strategy", right=False),
        Column("alpha", "alpha", share),
        Column("e_d", "e_d", share),
        Column("e_w", "e_w", share),
        Column("e_r", "e_r", share),
    ]
    for measure in MEASURES:
        key, header = COUNT_KEYS[measure], COUNT_HEADERS[measure]
        columns += [
            Column(f"{key}_exponent", f"{header} ours", power, right=False),
            Column(f"{key}_exponent_paper", f"{header} paper", power, right=False),
        ]
    columns.append(Column("largest_difference", "difference", str))
    rows = [_row(Strategy.parse(name), published.get(name)) for name in artifact.strategies]
    if not any(row[1] is not None for row in rows):
        rows, columns = [row[:1] + row[2:] for row in rows], columns[:1] + columns[2:]
    notes = [
        "Depth grows by s^e_d, width by s^(e_w/2), resolution by s^(e_r/2); e_d + e_w + e_r = 1. "
        "Paper: arXiv 2103.06877."
    ]
    return Table(artifact.name, artifact.title, columns, rows, notes)


def _row(strategy: Strategy, published: dict[str, str] | None) -> list:
    ours = strategy.exponents()
    shares = (strategy.depth, strategy.width, strategy.resolution)
    alpha = Fraction(published["alpha"]) if published and published["alpha"] else None
    row: list = [strategy.name, alpha, *shares]
    differences = []
    for measure in MEASURES:
        own = getattr(ours, measure)
        theirs = Fraction(published[measure]) if published else None
        row += [own, theirs]
        if theirs is not None:
            differences.append(own - theirs)
    if published:
        differences += [
            own - Fraction(published[name])
            for own, name in zip(shares, ("e_d", "e_w", "e_r"), strict=True)
        ]
    return [*row, max(differences, key=abs) if differences else None]
