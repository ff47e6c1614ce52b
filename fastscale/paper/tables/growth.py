"""How flops, params and acts of real (rounded) networks grow, beside the closed form.

Tables 1, 2 and 4 for each base network and factor. Also Table 3, group width fixed against scaled:
the closed form from the formulas of a stage of group convs (flops k^2 w g r^2, params k^2 w g, acts
w r^2), and counts. We derived this table ourselves.
"""

import math
from collections.abc import Sequence

from fastscale.archs.names import factor_text, strategy_spelling
from fastscale.counts import complexity
from fastscale.paper.artifacts import Theory
from fastscale.paper.style import WITHOUT_GROUPS
from fastscale.paper.tables.table import (
    COUNT_HEADERS,
    COUNT_KEYS,
    MEASURES,
    Column,
    Table,
    fixed,
    power,
    share,
    times,
)
from fastscale.scaling import Strategy, arch_named, scale

# the form whose group convs grow by the exponents of plain convs
_SCALED = {plain: scaled for scaled, plain in WITHOUT_GROUPS.items()}


def growth_table(artifact: Theory) -> Table:
    """One row per strategy, base and factor: growth reached and in theory, exponent of acts."""
    columns = [
        Column("strategy", "strategy", right=False),
        Column("base", "base", right=False),
        Column("scaled_by", "scaled by", right=False, terminal=False),
        Column("factor", "s", factor_text),
        Column("resolution_px", "res. px"),
    ]
    for measure in MEASURES:
        columns += [
            Column(f"{COUNT_KEYS[measure]}_growth", f"{COUNT_HEADERS[measure]} reached", times),
            Column(
                f"{COUNT_KEYS[measure]}_growth_theory", f"{COUNT_HEADERS[measure]} theory", times
            ),
        ]
    columns += [
        Column("acts_exponent", "acts = flops (multiply-adds)^", fixed(2)),
        Column("acts_exponent_theory", "in theory", share),
    ]
    own, growth = artifact.kind == "group-width", artifact.growth
    assert growth is not None
    rows = [
        _row(s, base, f, own)
        for s in artifact.strategies
        for base in growth.bases
        for f in growth.factors
    ]
    title = f"{artifact.title}: growth reached by rounded networks"
    return Table(
        f"{artifact.name}-growth",
        title,
        columns,
        rows,
        [_ROUNDING, _GROUPS_ALONE if own else _GROUPED],
    )


def group_width_table(artifact: Theory) -> Table:
    """Our Table 3: exponents of a stage of group convs with g fixed and with g scaled like w."""
    columns = [
        Column("strategy", "strategy", right=False),
        Column("group_width", "group width", right=False),
    ]
    columns += [Column(f"e_{letter}", f"e_{letter}", share) for letter in "dwrg"]
    columns += [
        Column(f"{COUNT_KEYS[m]}_exponent", f"{COUNT_HEADERS[m]} ours", power, right=False)
        for m in MEASURES
    ]
    rows = []
    for name in artifact.strategies:
        strategy = Strategy.parse(name)
        ours = strategy.exponents(group_conv=True)
        how = "scaled" if strategy.group_width else "fixed"
        shares = (strategy.depth, strategy.width, strategy.resolution, strategy.group_width)
        rows.append([strategy.name, how, *shares, *(getattr(ours, m) for m in MEASURES)])
    notes = [
        "Ours: the numbers in the paper's Table 3 are not known. A stage of 3x3 group convs: "
        "flops k^2 w g r^2, params k^2 w g, acts w r^2.",
        "The 1x1 convs around a group conv grow as plain convs do (Tables 1, 2, 4) and hold most "
        "of a RegNet's flops. With g fixed, real networks therefore grow almost as much as with g "
        f"scaled, see {artifact.name}-growth.",
    ]
    return Table(artifact.name, artifact.title, columns, rows, notes)


def mean_exponent(
    strategy: str, measure: str, bases: Sequence[str], factors: Sequence[float]
) -> tuple[float, int]:
    """(mean of log growth of the measure / log growth of flops, number of networks)."""
    found = []
    for base in bases:
        small = complexity(arch_named(base))
        for factor in factors:
            large = complexity(scale(arch_named(base), grouped_form(strategy, base), factor))
            found.append(
                math.log(getattr(large, measure) / getattr(small, measure))
                / math.log(large.flops / small.flops)
            )
    return math.fsum(found) / len(found), len(found)


def grouped_form(strategy: str, base: str) -> str:
    """The strategy, with group width scaled too if the base has group convs."""
    known = _SCALED.get(strategy_spelling(strategy), strategy)
    return known if arch_named(base).grouped else strategy


def _row(strategy: str, base: str, factor: float, group_widths: bool) -> list:
    """One row. `group_widths`: take the strategy as named, and the theory of group convs."""
    name = strategy if group_widths else grouped_form(strategy, base)
    arch = scale(arch_named(base), name, factor)
    small, large = complexity(arch_named(base)), complexity(arch)
    theory = Strategy.parse(strategy).exponents(group_conv=group_widths)
    row: list = [strategy, base, name, factor, arch.resolution]
    for measure in MEASURES:
        row += [
            getattr(large, measure) / getattr(small, measure),
            float(factor) ** float(getattr(theory, measure)),
        ]
    return [
        *row,
        math.log(large.acts / small.acts) / math.log(large.flops / small.flops),
        theory.acts / theory.flops,
    ]


_ROUNDING = (
    "Networks as built: depths are whole numbers, widths multiples of 8, resolutions multiples of "
    "4, and the stem and head of RegNets are not scaled."
)
_GROUPED = (
    "Group width is scaled with width (for RegNets w is wg), because only then do group convs grow "
    "as the table says."
)
_GROUPS_ALONE = (
    "The theory covers the 3x3 group convs alone; the networks also have 1x1 convs, which grow as "
    "plain convs do."
)
