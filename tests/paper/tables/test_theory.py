"""Tables 1, 2 and 4: every published exponent, and the closed form against a scaled stage."""

from fractions import Fraction

import pytest

from fastscale.paper.tables.table import to_csv
from fastscale.paper.tables.theory import theory_table
from fastscale.references import reference
from fastscale.scaling import Strategy

# the paper's Tables 1, 2 and 4, repeated here so that an error in the reference file shows
PUBLISHED = [
    ("d", "1", "1", "1"),
    ("w", "1", "1", "1/2"),
    ("r", "1", "0", "1"),
    ("dw", "1", "1", "3/4"),
    ("wr", "1", "1/2", "3/4"),
    ("dr", "1", "1/2", "1"),
    ("dwr", "1", "2/3", "5/6"),
    ("dWr", "1", "9/10", "3/5"),
]


@pytest.mark.parametrize(("name", "flops", "params", "acts"), PUBLISHED)
def test_published_exponents(name, flops, params, acts):
    found = Strategy.parse(name).exponents()
    assert (found.flops, found.params, found.acts) == (
        Fraction(flops),
        Fraction(params),
        Fraction(acts),
    )
    for row in reference("tables"):
        if row["strategy"] == name:
            assert (row["flops"], row["params"], row["acts"]) == (flops, params, acts)


@pytest.mark.parametrize("alpha", ["0", "1/3", "2/3", "4/5", "1"])
def test_the_family_of_table_4(alpha):
    a, found = Fraction(alpha), Strategy.parse(f"alpha={alpha}").exponents()
    assert (found.flops, found.params, found.acts) == (1, (1 + a) / 2, (2 - a) / 2)


@pytest.mark.parametrize("name", [row["strategy"] for row in reference("tables")])
@pytest.mark.parametrize("s", [2.0, 5.5])
def test_closed_form_is_a_scaled_stage(name, s):
    d, w, r = 6.0, 48.0, 28.0
    f_d, f_w, f_r, _ = Strategy.parse(name).multipliers(s)
    exponents = Strategy.parse(name).exponents()
    big = (d * f_d, w * f_w, r * f_r)
    for formula, exponent in (
        (lambda d, w, r: d * w * w * r * r, exponents.flops),
        (lambda d, w, r: d * w * w, exponents.params),
        (lambda d, w, r: d * w * r * r, exponents.acts),
    ):
        assert formula(*big) / formula(d, w, r) == pytest.approx(s ** float(exponent))


@pytest.mark.parametrize(("artifact", "rows"), [("table-1", 3), ("table-2", 4), ("table-4", 5)])
def test_tables_show_ours_the_papers_and_no_difference(artifact, rows):
    table = theory_table(artifact)
    assert len(table.rows) == rows
    assert [row[-1] for row in table.rows] == [0] * rows
    assert all(value is not None for row in table.rows for value in row)
    assert to_csv(table) == to_csv(theory_table(artifact))


def test_a_wrong_reference_shows_as_a_difference(tmp_path, checkout_copy):
    root = checkout_copy()
    file = root / "paper_figures" / "reference" / "tables.csv"
    file.write_text(
        file.read_text().replace(
            "4,dWr,4/5,1/10,4/5,1/10,1,9/10,3/5", "4,dWr,4/5,1/10,4/5,1/10,1,9/10,1/2"
        )
    )
    table = theory_table("table-4")
    assert {row[0]: row[-1] for row in table.rows}["dWr"] == Fraction(1, 10)
