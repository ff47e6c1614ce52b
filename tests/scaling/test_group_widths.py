"""Group widths that are powers of two: the rule, names, records, and twins of equal flops."""

import pytest

import fastscale as fs
from fastscale.archs.names import NetworkName, RunName, canonical
from fastscale.errors import InputError
from fastscale.models.fvcore_count import fvcore_complexity
from fastscale.records import Record
from fastscale.records.identity import arch_of, network_fields
from fastscale.scaling import own_definition, twin
from fastscale.scaling.scale import power_of_two_group_width

POW2 = "power_of_two"


def test_the_rule():
    """The nearest in log scale; the border of 32 and 64, 32 * sqrt(2) = 45.25, goes to 64."""
    for g, rounded in ((0.3, 1), (1.4, 1), (1.5, 2), (5.6, 4), (5.7, 8), (12, 16), (22.6, 16)):
        assert power_of_two_group_width(g) == rounded
    rounded = [power_of_two_group_width(g) for g in (45.2, 32 * 2**0.5, 64, 91, 500)]
    assert rounded == [32, 64, 64, 64, 64]


@pytest.mark.parametrize("base", ["regnety-500mf", "regnety-4gf", "regnetz-500mf", "resnext-50"])
@pytest.mark.parametrize("strategy", ["wg", "dWr", "dw"])
@pytest.mark.parametrize("factor", [2, 8, 24, 64])
def test_group_widths_are_powers_of_two_and_all_else_is_unchanged(base, strategy, factor):
    paper = fs.scale(base, strategy, factor)
    held = fs.scale(base, strategy, factor, group_width_rounding=POW2)
    for name in ("depths", "resolution", "test_resolution"):
        assert getattr(held, name) == getattr(paper, name)
    pairs = zip(held.group_widths, held.bottleneck_widths, strict=True)
    assert all(v % g == 0 and (g in (1, 2, 4, 8, 16, 32, 64)) for g, v in pairs)
    pairs = zip(paper.group_widths, held.group_widths, held.bottleneck_ratios, strict=True)
    steps = [(max(a, b) + max(c, b)) / 2 / b for a, c, b in pairs]  # both round to the nearest
    moved = [abs(a - b) for a, b in zip(paper.widths, held.widths, strict=True)]
    assert all(m <= step + 1 for m, step in zip(moved, steps, strict=True))


@pytest.mark.parametrize(
    "strategy, widths", [("dWr", (64, 128, 384, 1088)), ("w", (32, 128, 384, 960))]
)
def test_a_stage_narrower_than_its_group_width_has_a_power_of_two_too(strategy, widths):
    """The authors' rule makes 48 and 40 channels one group, as they are below 64."""
    small = fs.scale("regnetx-8gf.dds", strategy, 0.25, group_width_rounding=POW2)
    assert small.group_widths == (32, 64, 64, 64)
    assert small.widths == widths


@pytest.mark.parametrize(
    "name",
    ["regnety-tiny.wg-pow2-x30", "regnetz-tiny.wg-pow2-x30", "regnetx-1.6gf.dds.w-pow2-x0.925"],
)
def test_counts_are_those_of_the_built_module(name):
    arch = fs.arch(name)
    assert arch.group_widths != fs.arch(name.replace("-pow2", "")).group_widths
    assert fvcore_complexity(fs.build(arch), 64) == fs.complexity(arch, 64)


def test_the_papers_rounding_is_the_default_and_names_contain_the_other():
    paper = fs.scale("regnety-4gf", "dWr", 4)
    assert paper.name == "regnety-4gf.dWr-x4" and set(paper.group_widths) == {56}
    assert fs.scale("regnety-4gf", "dWr", 4, "paper") == paper
    held = fs.scale("regnety-4gf", "alpha=4/5", 4, group_width_rounding=POW2)
    assert held.name == "regnety-4gf.dWr-pow2-x4" and set(held.group_widths) == {64}
    assert held == fs.scale("regnety-4gf", "dWr-pow2", 4) == fs.arch(held.name)
    assert fs.scale("regnety-4gf", "dWr-pow2", 4, "paper") == paper
    factor, found = fs.scale_to("regnety-4gf", "dWr", flops=8e9, group_width_rounding=POW2)
    assert found.name == f"regnety-4gf.dWr-pow2-x{factor:g}" and set(found.group_widths) == {32}


def test_spellings_of_a_name_are_equal():
    run = RunName.parse("regnety-4gf.alpha=0.8-pow2-x2.imagenet-100ep")
    assert run.network == NetworkName("regnety-4gf", "dWr-pow2", 2.0) != "regnety-4gf.dWr-x2"
    assert str(run) == "regnety-4gf.dWr-pow2-x2.imagenet-100ep"
    assert canonical("regnety-4gf.alpha=2-over-3-pow2-x2.0_imagenet") == (
        "regnety-4gf.d1_w4_g4_r1-pow2-x2_imagenet"
    )
    assert str(NetworkName("theirs", "mine-pow2", 2.0)) == "theirs.mine-pow2-x2"
    assert fs.Strategy.parse("dWr-pow2") != fs.Strategy.parse("dWr")


def test_records_hold_it_in_the_name():
    arch = fs.arch("regnety-4gf.dWr-pow2-x2")
    fields = {"kind": "time", "run": f"{arch.name}.time", "values": {"eager_step_time_s": 1.0}}
    fields |= {"env": {"device": "x", "date": "2026-01-01"}, **network_fields(arch, 1000)}
    record = Record.from_json(Record(**fields).to_json())
    assert (record.base, record.strategy, record.factor) == ("regnety-4gf", "dWr-pow2", 2.0)
    assert record.definition is None and arch_of(record) == arch
    assert record.flops == fs.complexity(arch).flops


def test_a_registered_strategy_takes_it_too():
    fs.register_strategy(fs.Strategy("test_thirds", 0.25, 0.5, 0.25, 0.5))
    arch = fs.arch("regnety-4gf.test_thirds-pow2-x2")
    assert set(arch.group_widths) == {32} and own_definition(arch) is not None
    assert set(fs.scale("regnety-4gf", "test_thirds", 2).group_widths) == {40}


@pytest.mark.parametrize(
    ("base", "strategy", "rounding", "why"),
    [
        ("efficientnet-b0", "dWr", POW2, "efficientnet-b0 has no group widths"),
        ("resnet-50", "wg-pow2", None, "scale it by 'wg'"),
        ("regnety-4gf", "dWr", "nearest", "is one of paper, power_of_two, got 'nearest'"),
        ("regnety-4gf", "dWr", 2, "is one of paper, power_of_two"),
        ("regnety-4gf", "dWr-pow2-pow2", None, "unknown strategy"),
        ("regnety-4gf", "-pow2", None, "unknown strategy"),
    ],
)
def test_impossible_roundings(base, strategy, rounding, why):
    with pytest.raises(InputError, match=why):
        fs.scale(base, strategy, 2, group_width_rounding=rounding)


def test_twins_have_the_flops_within_three_percent():
    for strategy, factor, name in (
        ("wg", 2, "regnety-4gf.wg-pow2-x2"),  # at the same factor
        ("dWr", 2, "regnety-4gf.dWr-pow2-x2.1"),  # -4 % at the same factor
        ("dWr-pow2", 4, "regnety-4gf.dWr-pow2-x3.7"),
    ):
        found = twin(fs.arch("regnety-4gf"), strategy, factor)
        paper = fs.scale("regnety-4gf", strategy, factor, "paper")
        assert found.arch.name == name and found.arch == fs.arch(name)
        assert found.realised.flops == pytest.approx(fs.complexity(paper).flops, rel=0.03)
    with pytest.raises(InputError, match="no twin within 3% of its flops"):
        twin(fs.arch("regnetz-4gf"), "wg", 8)  # its group widths jump from 16 to 32
