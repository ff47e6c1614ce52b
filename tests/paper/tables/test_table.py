"""The table type: headers that must say multiply-adds, blanks, and three formats of the rows."""

import csv
import io
from decimal import Decimal
from fractions import Fraction

import pytest

from fastscale.paper.tables.table import (
    Column,
    Table,
    fixed,
    power,
    render_terminal,
    share,
    signed,
    to_csv,
    to_latex,
    to_markdown,
)


@pytest.fixture
def table():
    columns = [
        Column("name", "name", right=False),
        Column("flops_multiply_adds", "flops (multiply-adds)", fixed(0)),
        Column("growth", "growth", power),
        Column(
            "error", "error & more", lambda v: f"{v[0]:.1f} ± {v[1]:.1f}", parts=("mean", "std")
        ),
        Column("detail", "detail", terminal=False),
    ]
    rows = [
        ["a_b", 12345, Fraction(1, 2), (1.25, 0.5), 7],
        ["c|d", None, Fraction(9, 10), None, None],
    ]
    return Table("toy", "A toy", columns, rows, ["Grows by s^1/2."])


def test_csv_has_every_digit_and_blanks(table):
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[0] == ["name", "flops_multiply_adds", "growth", "error_mean", "error_std", "detail"]
    assert rows[1] == ["a_b", "12345", "1/2", "1.25", "0.5", "7"]
    assert rows[2] == ["c|d", "", "9/10", "", "", ""]


def test_markdown(table):
    lines = to_markdown(table).splitlines()
    assert lines[2] == "| name | flops (multiply-adds) | growth | error & more | detail |"
    assert lines[4] == "| a_b | 12,345 | s<sup>1/2</sup> | 1.2 ± 0.5 | 7 |"
    assert lines[5] == r"| c\|d |  | s<sup>0.9</sup> |  |  |"
    assert lines[-1] == "Grows by s<sup>1/2</sup>."


def test_latex_is_escaped(table):
    text = to_latex(table)
    assert r"a\_b & 12,345 & $s^{1/2}$ & 1.2 $\pm$ 0.5 & 7 \\" in text
    assert r"error \& more" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2


def test_terminal(table):
    text = render_terminal(table)
    assert "detail" not in text and "a_b" in text and "s^1/2" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_headers_must_say_multiply_adds():
    with pytest.raises(ValueError, match="multiply-adds"):
        Table("t", "t", [Column("flops_multiply_adds", "flops, B")], [])
    with pytest.raises(ValueError, match="multiply_adds"):
        Table("t", "t", [Column("flops", "flops (multiply-adds)")], [])


def test_rows_must_fit():
    with pytest.raises(ValueError, match="a row of 2 values under 1 columns"):
        Table("t", "t", [Column("a", "a")], [[1, 2]])


def test_ways_to_show():
    assert [power(Fraction(e)) for e in ("0", "1", "1/2", "5/6", "9/10")] == [
        "1",
        "s",
        "s^1/2",
        "s^5/6",
        "s^0.9",
    ]
    assert [share(Fraction(e)) for e in ("0", "1/3", "4/5")] == ["0", "1/3", "0.8"]
    assert [signed(1)(v) for v in (0, 0.25, Decimal("-0.1"))] == ["0", "+0.2", "-0.1"]
