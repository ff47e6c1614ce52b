"""Strategies: the grammar, the shares, and Tables 1, 2 and 4 in closed form."""

from fractions import Fraction as F

import pytest

import fastscale as fs
from fastscale.scaling.exponents import group_conv_stage

# Tables 1, 2 and 4 of the paper: name: (e_d, e_w, e_r), (flops, params, acts)
TABLES = {
    "d": ((1, 0, 0), (1, 1, 1)),
    "w": ((0, 1, 0), (1, 1, F(1, 2))),
    "r": ((0, 0, 1), (1, 0, 1)),
    "dw": ((F(1, 2), F(1, 2), 0), (1, 1, F(3, 4))),
    "wr": ((0, F(1, 2), F(1, 2)), (1, F(1, 2), F(3, 4))),
    "dr": ((F(1, 2), 0, F(1, 2)), (1, F(1, 2), 1)),
    "dwr": ((F(1, 3), F(1, 3), F(1, 3)), (1, F(2, 3), F(5, 6))),
    "dWr": ((F(1, 10), F(8, 10), F(1, 10)), (1, F(9, 10), F(6, 10))),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_1_2_4(name):
    s = fs.Strategy.parse(name)
    shares, exponents = TABLES[name]
    assert (s.depth, s.width, s.resolution) == shares
    found = s.exponents()
    assert (found.flops, found.params, found.acts) == exponents


@pytest.mark.parametrize("alpha", ["0", "1/3", "2/3", "0.8", "1"])
def test_alpha_family(alpha):
    a, s = F(alpha), fs.Strategy.parse(f"alpha={alpha}")
    found = s.exponents()
    assert (found.flops, found.params, found.acts) == (1, (1 + a) / 2, (2 - a) / 2)
    assert s.group_width == s.width == a


def test_spellings_of_the_same_strategy():
    shares = [
        (s.depth, s.width, s.resolution, s.group_width)
        for s in map(fs.Strategy.parse, ("dWr", "r1_g8_w8_d1", "alpha=4/5", "d2_w16_g16_r2"))
    ]
    assert set(shares) == {(F(1, 10), F(8, 10), F(1, 10), F(8, 10))}
    two_thirds = fs.Strategy.parse("alpha=2/3")
    assert two_thirds.exponents() == fs.Strategy.parse("d1_w4_g4_r1").exponents()
    assert fs.Strategy.parse("dwgr").group_width == F(1, 3)
    assert fs.Strategy.parse("dwr").group_width == 0
    for one, other in (
        ("alpha=.5", "alpha=1/2"),
        ("alpha=0.50", "d1_w2_g2_r1"),
        ("dwgr", "rwdg"),
        ("alpha=2/3", "alpha=4/6"),
        ("alpha=2/3", "alpha=.666666667"),  # rounded to one in a million
    ):
        assert fs.Strategy.parse(one) == fs.Strategy.parse(other)
        assert len({fs.Strategy.parse(one), fs.Strategy.parse(other)}) == 1
    assert fs.Strategy.parse("alpha=2/3").width == F(2, 3) != fs.Strategy.parse("alpha=.6667").width
    assert fs.Strategy.parse("dwr") != fs.Strategy.parse("dwgr")
    own = fs.Strategy("mine", 0.25, 0.5, 0.25)
    assert own != fs.Strategy.parse("d1_w2_r1")  # its networks have other names
    assert fs.Strategy.parse(own) is own
    assert fs.scale("regnety-4gf", own, 2).name == "regnety-4gf.mine-x2"


@pytest.mark.parametrize("name", ["w", "wg", "dwr", "dwgr", "dWr", "alpha=1/3"])
def test_group_conv_exponents_meet_the_formula(name):
    s = fs.Strategy.parse(name)
    d, w, r, g = s.multipliers(3.0)
    e = s.exponents(group_conv=True)
    for value, exponent in zip(
        group_conv_stage(d, w, r, g), (e.flops, e.params, e.acts), strict=True
    ):
        assert value == pytest.approx(3.0 ** float(exponent))
    if s.group_width == s.width:
        assert e == s.exponents()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "dd",
        "D",
        "d1w2",
        "d1_d2",
        "alpha=",
        "alpha=1.1",
        "alpha=-0.1",
        "alpha=1/0",
        "dWR",
        "d1_",
        3,
        None,
    ],
)
def test_unknown_strategies(text):
    with pytest.raises(ValueError, match="alpha="):
        fs.Strategy.parse(text)


@pytest.mark.parametrize("text", ["g", "g3", "d0_w0_r0", "d0_g2"])
def test_a_strategy_that_scales_nothing(text):
    with pytest.raises(ValueError, match="scales nothing"):
        fs.Strategy.parse(text)


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (2, -1, 0), (float("nan"), 0, 1), ("a", 0, 1)])
def test_shares_must_be_shares(shares):
    with pytest.raises(ValueError, match=r"sum to 1|negative|finite"):
        fs.Strategy("mine", *shares)
