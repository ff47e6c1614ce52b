"""Reading the reference files checks them: errors name file, line and column."""

import pytest

from fastscale.errors import InputError
from fastscale.references import reference


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "pycls_zoo",
            ",224,256,",
            ",abc,256,",
            "pycls_zoo.csv, line 2, column train_resolution: 'abc' is not a whole number above 0",
        ),
        (
            "correlations",
            ",.81,",
            ",high,",
            "correlations.csv, line 2, column pearson_r: 'high' is not a number",
        ),
        ("correlations", ",.81,", ",,", "column pearson_r: '' is not a number"),
        ("correlations", "measure,", "what,", "correlations.csv, line 1: no column 'measure'"),
        (
            "paper_points",
            ",22.72,",
            ",-22.72,",
            "line 2, column top1_error: '-22.72' is not a number above 0",
        ),
        ("tables", ",1/2,", ",1/0,", "tables.csv, line 3, column acts: '1/0' is not a fraction"),
        ("definitions", ",224,", ",inf,", "column resolution: 'inf' is not a whole number"),
        (
            "timm_benchmarks",
            "1024,18244.04,0.2,2.16,2.68",
            "1024",
            "line 2, column images_per_s: '' is not a number",
        ),
        (
            "timm_benchmarks",
            "0.2,2.16,2.68\n",
            "0.2,2.16,2.68,1\n",
            "line 2: more fields than columns",
        ),
        ("tables", "strategy", 'strat"egy', "no column 'strategy'"),
    ],
)
def test_damage_is_named(tables, name, old, new, said):
    path = tables / f"{name}.csv"
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        reference(name)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_table_is_named(tables):
    (tables / "tables.csv").unlink()
    with pytest.raises(InputError, match=r"^tables\.csv: cannot read .* restore paper_figures/ref"):
        reference("tables")


def test_blank_where_nothing_was_published():
    assert any(row["acts_m"] == "" for row in reference("paper_points"))


def test_rows_are_copies():
    reference("tables")[0]["acts"] = "7"
    assert reference("tables")[0]["acts"] != "7"
