"""Growth of rounded networks, and our Table 3 in closed form."""

from fractions import Fraction

import pytest

from fastscale.counts import complexity
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.tables.definitions import definitions
from fastscale.paper.tables.growth import (
    group_width_table,
    grouped_form,
    growth_table,
    mean_exponent,
)
from fastscale.paper.tables.published import within_one_unit
from fastscale.scaling import arch_named


def as_dicts(table):
    return [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows]


@pytest.mark.parametrize(("name", "strategies"), [("table-1", 3), ("table-2", 4), ("table-4", 5)])
def test_five_bases_four_factors(name, strategies):
    rows = as_dicts(growth_table(load_artifact(name)))
    assert len(rows) == strategies * 5 * 4 and {row["factor"] for row in rows} == {2, 4, 8, 16}
    for row in rows:
        big, small = (
            complexity(arch_named(name))
            for name in (f"{row['base']}.{row['scaled_by']}-x{row['factor']:g}", row["base"])
        )
        assert (
            row["acts_growth"] == pytest.approx(big.acts / small.acts)
            and row["flops_multiply_adds_growth"] == big.flops / small.flops
        )
        assert row["acts_growth_theory"] == pytest.approx(
            float(row["factor"]) ** float(row["acts_exponent_theory"])
        )
        # stem and head do not grow with depth
        assert abs(row["acts_exponent"] - float(row["acts_exponent_theory"])) < 0.25


def test_group_width_is_scaled_where_there_are_groups():
    assert grouped_form("w", "regnety-4gf") == "wg" and grouped_form("w", "efficientnet-b0") == "w"
    assert grouped_form("dWr", "regnetz-4gf") == "dWr"


def test_mean_exponent_is_counted():
    bases = load_artifact("table-4").growth.bases
    value, n = mean_exponent("dWr", "acts", bases, [2, 4, 8, 16])
    assert n == 20 and value == pytest.approx(0.568, abs=5e-4)


def test_table_3():
    rows = {row["strategy"]: row for row in as_dicts(group_width_table(load_artifact("table-3")))}
    assert (
        rows["w"]["flops_multiply_adds_exponent"],
        rows["wg"]["flops_multiply_adds_exponent"],
    ) == (Fraction(1, 2), 1)
    assert rows["w"]["acts_exponent"] == rows["wg"]["acts_exponent"] == Fraction(1, 2)
    assert rows["dWr"]["group_width"] == "scaled" and rows["d1_w8_r1"]["group_width"] == "fixed"
    counted = as_dicts(growth_table(load_artifact("table-3")))
    assert len(counted) == 8 * 4 * 4 and {row["scaled_by"] for row in counted} == set(rows)


def test_definitions():
    table = definitions()
    assert len(table.rows) == 11 and within_one_unit(table) == (9, 9)
    rows = {row["network"]: row for row in as_dicts(table)}
    assert (
        rows["RegNetY-500MF"]["depths"] == "1, 4, 9, 3"
        and rows["RegNetY-500MF"]["widths"] == "32, 88, 248, 688"
    )
    assert rows["RegNetY 16GF"]["arch"] == "regnety-4gf.dWr-x4"
    for name in ("RegNetY-500MF", "RegNetZ-500MF"):  # derived, so there is nothing to compare with
        assert [
            v
            for k, v in rows[name].items()
            if k.endswith(("m_published", "b_published", "difference"))
        ] == [None] * 6
        assert name in table.notes[1]
    assert str(rows["RegNetZ-4GF"]["params_m_published"]) == "28.1", "as Xiao et al. print it"
    assert table.notes[0].startswith("8 of 9 networks agree")
    assert (
        not rows["EfficientNet-B0"]["acts_m_difference"]
        and rows["EfficientNet-B0"]["acts_m"] * 10**6 == 6748036
    )
