"""Published counts beside ours: Fig. 2, 4 and 6, larger scaled networks, the earlier zoo.

Ours is rounded to as many decimals as the published number has before they are compared. The zoo's
counts are published in full, so its differences are exact.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from fastscale.archs import Arch, base_names
from fastscale.counts import complexity
from fastscale.paper.artifacts import published_networks
from fastscale.paper.tables.table import Column, Table, fixed, signed
from fastscale.references import reference
from fastscale.references.networks import point_arch, zoo_name
from fastscale.scaling import arch_named

SOURCES = {"xiao2021_table2": "Xiao et al. 2021, Table 2", "mvit_table17": "MViT, Table 17"}
# column of the reference -> (header, key, decimal exponent of its unit)
MEASURES = {
    "flops_b": ("flops (multiply-adds), B", "flops_multiply_adds_b", 9),
    "params_m": ("params, M", "params_m", 6),
    "acts_m": ("acts, M", "acts_m", 6),
}
# headers for the reference file's counts of the networks of Fig. 2, 4 and 6
_COMPUTED = {
    "flops_multiply_adds_b": "flops (multiply-adds), B: read off Fig. 4 and 6, computed for Fig. 2",
    "params_m": "params, M, of the identified network (computed)",
    "acts_m": "acts, M, of the identified network (computed)",
}


class Compared(NamedTuple):
    """One published network: its cells of text, our network, and its row of the reference."""

    labels: Sequence[str]
    arch: Arch
    row: dict[str, str]


def published_counts() -> Table:
    """Scaled networks whose counts Xiao et al. 2021 and the MViT paper print to one decimal."""
    points = by_label()
    compared = [
        Compared(
            (n.label, SOURCES[n.source]),
            arch_named(n.arch),
            points[n.source, n.label],
        )
        for n in published_networks("published-counts")
    ]
    labels = (
        Column("network", "network", right=False),
        Column("published_by", "published by", right=False, terminal=False),
    )
    note = (
        "RegNetZ 16GF is printed as 16.0 B by one source and as 15.9 B by the other. "
        "The factors 1.85, 3.88 and 8.5 are derived."
    )
    return compare(
        "published-counts",
        "Published counts beside ours: networks of 1 to 32 GF",
        labels,
        compared,
        [note],
    )


def digitised_counts() -> Table:
    """Every identified point of Fig. 2, 4 and 6.

    These are EfficientNet-B0, RegNetY-500MF and RegNetZ-500MF, scaled up to x96. Only the flops of
    Fig. 4 and 6 were read off the plots. The reference file computes all other counts for the
    network identified, so their agreement shows that two codes agree, not what the paper says.
    """
    compared, read = [], []
    for row in reference("paper_points"):
        if "counts computed" in row["how"]:
            figures = (
                row["artifact"]
                .replace("fig", "Fig. ")
                .replace(" Fig. ", ", ")
                .replace("Fig., ", "Fig. ")
            )
            compared.append(Compared((figures,), point_arch(row), row))
            read.append("fig2" not in row["artifact"].split())
    title = "Networks identified in the paper's Fig. 2, 4 and 6: their counts, computed twice"
    table = compare(
        "digitised-counts",
        title,
        (Column("figure", "figure", right=False),),
        compared,
        [],
        "reference",
        _COMPUTED,
    )
    keys = [column.key for column in table.columns]
    flops, own = keys.index("flops_multiply_adds_b_reference"), keys.index("flops_multiply_adds_b")
    off = max(
        abs(row[own] / row[flops] - 1)
        for row, was_read in zip(table.rows, read, strict=True)
        if was_read
    )
    note = (
        f"Read off the plots of Fig. 4 and 6: flops of {sum(read)} networks, within "
        f'{100 * off:.1f} % of ours. All other numbers under "reference" are computed for the '
        "network identified: they check one code against another, and nobody published them."
    )
    return replace(table, notes=[note, "One image, 1000 classes; resolution in px."])


def zoo_counts() -> Table:
    """All 36 networks of the earlier zoo, whose counts are published in full."""
    columns = [Column("network", "network", right=False), Column("arch", "name here", right=False)]
    for header, key in (
        ("flops (multiply-adds)", "flops_multiply_adds"),
        ("params", "params"),
        ("acts", "acts"),
    ):
        columns += [
            Column(f"{key}_published", f"{header} published", fixed(0)),
            Column(key, f"{header} ours", fixed(0)),
            Column(f"{key}_difference", "diff.", signed(0)),
        ]
    rows = []
    for row in reference("pycls_zoo"):
        arch = arch_named(zoo_name(row["model"]))
        ours = complexity(arch, int(row["train_resolution"]))
        cells: list = [row["model"], arch.name]
        for measure in ("flops", "params", "acts"):
            theirs, own = int(row[measure]), getattr(ours, measure)
            cells += [theirs, own, own - theirs]
        rows.append(cells)
    equal = sum(not any(row[i] for i in (4, 7, 10)) for row in rows)
    note = (
        f"{equal} of {len(rows)} networks have all three counts equal to the last digit. "
        "Published: facebookresearch/pycls, model zoo."
    )
    return Table(
        "zoo-counts", "The earlier zoo's 36 networks: counts beside ours", columns, rows, [note]
    )


def network_counts() -> Table:
    """Every named base network with its counts at its own resolution."""
    columns = [
        Column("arch", "network", right=False),
        Column("resolution_px", "resolution, px"),
        Column("flops_multiply_adds", "flops (multiply-adds)", fixed(0)),
        Column("params", "params", fixed(0)),
        Column("acts", "acts", fixed(0)),
    ]
    rows = []
    for name in base_names():
        arch = arch_named(name)
        ours = complexity(arch)
        rows.append([name, arch.resolution, ours.flops, ours.params, ours.acts])
    return Table(
        "networks", "Base networks and their counts (one image, 1000 classes)", columns, rows
    )


def within_one_unit(table: Table) -> tuple[int, int]:
    """(networks that agree, networks with a published count).

    A network agrees if it has the published resolution and each count is off by at most one unit
    of the last digit printed.
    """
    keys = [column.key for column in table.columns]
    agreeing = compared = 0
    for values in table.rows:
        row = dict(zip(keys, values, strict=True))
        fits = row["resolution"] == row["resolution_published"]
        for _, key, _ in MEASURES.values():
            theirs = row[f"{key}_published"]
            fits &= theirs is None or abs(row[key] - theirs) <= Decimal(1).scaleb(
                int(theirs.as_tuple().exponent)
            )
        if any(row[f"{key}_published"] is not None for _, key, _ in MEASURES.values()):
            compared += 1
            agreeing += fits
    return agreeing, compared


def by_label() -> dict[tuple[str, str], dict[str, str]]:
    """The first row of paper_points.csv for each (source, `family target`)."""
    points: dict[tuple[str, str], dict[str, str]] = {}
    for row in reference("paper_points"):
        if row["artifact"] in SOURCES:
            points.setdefault((row["artifact"], f"{row['family']} {row['target']}"), row)
    return points


def compare(
    name: str,
    title: str,
    labels: Sequence[Column],
    compared: Sequence[Compared],
    notes: Sequence[str],
    theirs_is: str = "paper",
    headers: dict[str, str] | None = None,
) -> Table:
    """The published counts of networks beside ours, with the differences."""
    kind = "published" if theirs_is == "paper" else theirs_is
    columns = [*labels, Column("arch", "name here", right=False, terminal=len(labels) == 1)]
    columns += [
        Column(f"resolution_{kind}", f"res. {theirs_is}"),
        Column("resolution", "res. ours"),
    ]
    for header, key, _ in MEASURES.values():
        columns += [
            Column(f"{key}_{kind}", (headers or {}).get(key, f"{header} {theirs_is}"), str),
            Column(key, f"{header} ours", fixed(3)),
            Column(f"{key}_difference", "diff.", lambda value: f"{value:+f}" if value else "0"),
        ]
    rows: list[list] = []
    matches: dict[str, list[bool]] = {
        "all": [],
        "within": [],
        **{column.split("_")[0]: [] for column in MEASURES},
    }
    for entry in compared:
        ours = complexity(entry.arch)
        cells: list = [
            *entry.labels,
            entry.arch.name,
            int(entry.row["resolution"]),
            entry.arch.resolution,
        ]
        found = [entry.arch.resolution == int(entry.row["resolution"])]
        within = list(found)
        for column, (_, _, unit) in MEASURES.items():
            own = Decimal(getattr(ours, column.split("_")[0])).scaleb(-unit)
            if not entry.row[column]:
                cells += [None, own, None]
                continue
            theirs = Decimal(entry.row[column])
            difference = own.quantize(theirs, ROUND_HALF_UP) - theirs
            cells += [theirs, own, difference]
            found.append(not difference)
            within.append(abs(own - theirs) <= Decimal(1).scaleb(int(theirs.as_tuple().exponent)))
            matches[column.split("_")[0]].append(not difference)
        rows.append(cells)
        if len(found) > 1:
            matches["all"].append(all(found))
            matches["within"].append(all(within))
    share = {measure: f"{sum(which)} of {len(which)}" for measure, which in matches.items()}
    note = (
        f"{share['all']} networks agree in every published count to the digit printed (flops, "
        f"multiply-adds: {share['flops']}; params: {share['params']}; acts: {share['acts']}), "
        f"{share['within']} within one unit of that digit. One image, 1000 classes; resolution in "
        "px."
    )
    return Table(name, title, columns, rows, [note, *notes])
