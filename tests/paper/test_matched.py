"""The design of the evidence, stated before training: equal flops, and tests with known answers."""

import math
import re
from dataclasses import replace

import pytest
from scipy import stats

from fastscale.archs.names import NetworkName
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.equivalence import (
    above,
    detectable,
    equivalent,
    shows_difference,
    shows_equivalence,
)
from fastscale.paper.matched import MATCHED, apart, equality, matched, rounded_away
from fastscale.paper.paired import difference
from fastscale.paper.stats import estimate
from fastscale.paper.tables.equivalence import tests_table as table_of_tests
from fastscale.paper.tables.paired import unequal
from fastscale.paper.verdicts import FAILS, HOLDS, UNDECIDED, UNMEASURED, verdicts
from fastscale.records import Record, network_fields
from fastscale.records.committed import committed
from fastscale.scaling import Strategy, arch_named

NAMES = ("evidence-cifar10-16px", "evidence-imagenette", "evidence-cifar10-small")


def trained(name, records=()):
    artifact = load_artifact(name)
    return artifact, artifact.drawing.trained(artifact, records)


@pytest.mark.parametrize("name", NAMES)
def test_flops_are_equal_within_three_percent(name):
    """Of each base's scaled networks, at their own resolutions and for ten classes."""
    _, found = trained(name)
    for base in found.plan.bases:
        flops = {c.arch: c.counts.flops for c in found.cells if c.base == base and c.strategy}
        pow2 = "dWr-pow2" in found.besides("dwgr") and arch_named(base).grouped
        assert len(flops) == 5 + pow2
        assert max(flops.values()) <= 1.03 * min(flops.values()), flops
        assert apart(found, base, 4.0) == max(flops.values()) / min(flops.values())
    assert matched(found) and MATCHED == 1.03
    assert not matched(trained("evidence-cifar10")[1])


@pytest.mark.parametrize("name", NAMES)
def test_networks_differ_in_what_their_strategy_scales_or_the_text_names_it(name):
    """Only the resolution of dWr at 16 px may stay the same, and the text names it."""
    artifact, found = trained(name)
    text = unequal(found, "dwgr")
    assert text == equality(found)
    for cell in found.cells:
        if cell.strategy is None:
            continue
        base, made, strategy = (
            arch_named(cell.base),
            arch_named(cell.arch),
            Strategy.parse(cell.strategy),
        )
        moved = {
            "depth": made.depths != base.depths,
            "width": made.widths != base.widths,
            "resolution": made.resolution != base.resolution,
        }
        if base.grouped:
            moved["group width"] = made.group_widths != base.group_widths
        wanted = {n for n in moved if getattr(strategy, n.replace(" ", "_"))}
        lost = wanted - {n for n in moved if moved[n]}
        assert {n for n in moved if moved[n]} <= wanted  # nothing else changes
        assert set(rounded_away(cell.name)) == lost
        assert not lost or (
            lost == {"resolution"} and base.resolution == 16 and "dWr" in cell.strategy
        )
        assert (f"resolution of {cell.arch}" in text) == bool(lost)
    assert ("resolution rounds away" in " ".join(artifact.shows.split())) == ("cifar10" in name)


def test_what_powers_of_two_change():
    """Their group widths are powers of two, unlike those of the paper's strategy."""
    for base, paper, own in (
        ("regnety-16px", "dWr-x4.5", "dWr-pow2-x4"),
        ("regnety-64px", "dWr-x3.2", "dWr-pow2-x3.2"),
    ):
        widths = arch_named(f"{base}.{own}").group_widths
        assert all(math.log2(g).is_integer() for g in widths)
        assert widths != arch_named(f"{base}.{paper}").group_widths


def test_resolution_is_real():
    """r reaches CIFAR-10's 32 px, and 128 px of Imagenette's images, which are stored at 320 px."""
    assert arch_named("regnety-16px.r-x4").resolution == 32
    assert arch_named("regnety-16px-small.r-x4").resolution == 32
    assert arch_named("efficientnet-16px.r-x4").resolution == 32
    assert arch_named("regnety-64px.r-x4").resolution == 128
    assert rounded_away(NetworkName("regnety-64px", "dWr", 3.2)) == []


def test_seeds_and_order():
    """Five seeds of the main comparison, three of the others; each seed of all before the next."""
    runs = load_artifact(NAMES[0]).plan("full").runs()
    assert len(runs) == len(set(runs)) == 51
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    seeds = {}
    for run in runs:
        seeds.setdefault(run.strategy, set()).add(run.seed)
    five = {None, "dWr", "dwgr"}
    assert {s: len(n) for s, n in seeds.items()} == {
        s: 5 if s in five else 3 for s in [*five, "wg", "d", "r", "dWr-pow2"]
    }
    assert {run.strategy for run in runs[:6]} == five
    assert len(load_artifact(NAMES[1]).plan("full").runs()) == 21
    small = [run.strategy for run in load_artifact(NAMES[2]).plan("quick").runs()]
    assert small == [None, "dWr", "dwgr", "wg", "d", "r"] * 3


def test_two_one_sided_tests():
    """They equal scipy's t tests of the same differences."""
    values = [0.3, -0.1, 0.5, 0.2, 0.1]
    found = estimate([values])
    upper = stats.ttest_1samp(values, 1.0, alternative="less").pvalue
    lower = stats.ttest_1samp(values, -1.0, alternative="greater").pvalue
    assert equivalent(found, 1.0) == pytest.approx(max(upper, lower))
    assert above(found) == pytest.approx(
        stats.ttest_1samp(values, 0.0, alternative="greater").pvalue
    )
    low, high = found.interval(0.9)
    assert equivalent(found, max(-low, high) + 1e-6) < 0.05 < equivalent(found, high - 1e-6)
    assert (found.low, found.high) == pytest.approx(found.interval(0.95))


def test_power_is_that_of_simulated_experiments():
    """In 2,000 of two bases and five seeds, spread .8, differences are found as often as stated."""
    draws = stats.norm.rvs(scale=0.8, size=(2000, 2, 5), random_state=1)
    estimates = [estimate(draw) for draw in draws.tolist()]
    found = sum(above(replace(e, mean=e.mean + 0.5)) <= 0.05 for e in estimates) / 2000
    assert found == pytest.approx(shows_difference(0.5, 0.8, 5, 2), abs=0.03)
    equal = sum(equivalent(e, 1.0) <= 0.05 for e in estimates) / 2000
    assert equal == pytest.approx(shows_equivalence(1.0, 0.8, 5, 2), abs=0.03)
    assert shows_difference(detectable(0.8, 5, 2), 0.8, 5, 2) == pytest.approx(0.8)
    assert detectable(0.8, 3) > detectable(0.8, 5) and math.isnan(detectable(0.8, 1))


@pytest.mark.parametrize("name", NAMES)
def test_the_declared_spread_is_that_of_earlier_runs(name):
    """It is of a pair's difference within a base and size, over evidence-cifar10's strategies."""
    old, found = trained("evidence-cifar10", committed("evidence-cifar10"))
    each = [
        difference(found, strategy, old.drawing.reference, [base], [size])
        for strategy in found.besides(old.drawing.reference)
        for base in found.plan.bases
        for size in found.sizes
    ]
    squares = sum(e.free * e.error**2 * e.pairs for e in each)
    spread = math.sqrt(squares / sum(e.free for e in each))
    assert load_artifact(name).drawing.spread == pytest.approx(spread, abs=0.005)


def made_up(name, worse, scatter=0.1):
    env = {"device": "made-up", "device_type": "cuda", "batch": 1, "date": "2020-01-01T00:00:00Z"}
    artifact = load_artifact(name)
    for run in artifact.plan(artifact.drawing.tier).runs():
        noise = scatter * ((run.seed * 7 + len(run.arch)) % 3 - 1)
        yield Record(
            kind="train",
            run=run.run,
            recipe=run.recipe,
            recipe_hash="made-up",
            seed=run.seed,
            epochs=1,
            data=run.data,
            data_hash="made-up",
            env=env,
            values={"top1_error": 20.0 + worse.get(run.strategy, 0.0) + run.seed + noise},
            **network_fields(arch_named(run.arch), 10),
        )


@pytest.mark.parametrize("name", NAMES)
def test_claims_are_judged_by_their_tests(name):
    def judged(records):
        return {
            v.claim.id.removeprefix(f"{name}-"): v.verdict
            for v in verdicts(records)
            if v.artifact == name
        }

    scatter = 0.1 if "small" in name else 0.3  # three pairs show less
    found = judged(list(made_up(name, {"d": 3.0, "r": -3.0, "dWr": 0.2, "wg": 0.1}, scatter)))
    assert found["fast-as-accurate"] == found["depth-is-worse"] == HOLDS
    assert found["resolution-is-worse"] == FAILS and found["width-is-worse"] == UNDECIDED
    assert judged(list(made_up(name, {"dWr": 4.0})))["fast-as-accurate"] == FAILS
    nothing = judged([])
    assert nothing["fewer-acts"] == HOLDS  # counted
    assert nothing["fast-as-accurate"] == UNMEASURED
    assert nothing.get("faster", UNMEASURED) == UNMEASURED


def test_the_table_of_tests():
    """It shows the power of the planned pairs before training, and p values after it."""
    artifact, found = trained(NAMES[0])
    table = table_of_tests(found, artifact, artifact.drawing.spread)
    rows = {tuple(row[:3]): row for row in table.shown()}
    assert len(rows) == 13  # powers of two are tried on one base alone
    both = rows["dWr", "dwgr", "regnety-16px and efficientnet-16px"]
    assert both[3:5] == ["within ±1", "10"] and both[-2:] == ["", ""]
    assert re.fullmatch(r"\d+ %", both[6]) and int(both[6][:-2]) >= 75
    records = list(made_up(NAMES[0], {"dWr": 0.2}, 0.3))
    table = table_of_tests(trained(NAMES[0], records)[1], artifact, artifact.drawing.spread)
    both = {tuple(row[:3]): row for row in table.shown()}[
        "dWr", "dwgr", "regnety-16px and efficientnet-16px"
    ]
    assert float(both[-1]) < 0.05 and both[-2].endswith("(10)")
