"""Every network of the paper as built, beside its published definition and counts."""

from collections.abc import Sequence

from fastscale.archs import Arch
from fastscale.paper.artifacts import load_artifact, published_networks
from fastscale.paper.tables.published import MEASURES, SOURCES, Compared, by_label, compare
from fastscale.paper.tables.table import Column, Table
from fastscale.references import reference
from fastscale.scaling import arch_named


def definitions() -> Table:
    """Every base and scaled network as built, beside its published definition and counts.

    A base is not compared if nobody printed its counts: those of definitions.csv are then derived
    or computed from its definition.
    """
    artifact = load_artifact("definitions")
    bases = {row["network"]: row for row in reference("definitions")}
    points = by_label()
    printed = {n.arch: n for n in reversed(published_networks("published-counts"))}
    compared = []
    for n in published_networks(artifact.name):
        arch = arch_named(n.arch)
        row = bases[n.arch] if n.source == "definitions" else points[n.source, n.label]
        text = (
            bases[n.arch]["definition"]
            if n.source == "definitions"
            else n.arch.replace(".", " by ", 1)
        )
        known = row.get("known_by") or SOURCES[n.source]
        if n.source == "definitions" and not known.startswith("counts published"):
            other = printed.get(n.arch)
            row = points[other.source, other.label] if other else row | dict.fromkeys(MEASURES, "")
            known += f"; counts: {SOURCES[other.source]}" if other else "; counts not published"
        compared.append(
            Compared(
                (n.label, text, known, _list(arch.depths), _list(arch.widths), _groups(arch)),
                arch,
                row,
            )
        )
    labels = (
        Column("network", "network", right=False),
        Column("definition", "definition", right=False, terminal=False),
        Column("known_by", "known by", right=False, terminal=False),
        Column("depths", "stage depths ours", right=False),
        Column("widths", "widths", right=False),
        Column("group_widths", "group widths", right=False),
    )
    blank = [
        entry.labels[0] for entry in compared if not any(entry.row[column] for column in MEASURES)
    ]
    notes = [f"Not compared: {', '.join(blank)}, whose counts were not published."] if blank else []
    return compare("definitions", artifact.title, labels, compared, notes)


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _groups(arch: Arch) -> str:
    return _list(arch.group_widths) if arch.grouped else "1"
