"""Strategies compared over seeds: interval, pairing, verdict, drawing. All errors are made up."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fastscale.errors import InputError
from fastscale.paper.artifacts import list_artifacts, load_artifact
from fastscale.paper.build import pages, produce_artifact
from fastscale.paper.figures.curves import TOGETHER
from fastscale.paper.paired import difference, exponents_off, nearest_size, time_correlation
from fastscale.paper.stats import estimate
from fastscale.paper.tables.claims import claims_table
from fastscale.paper.tables.paired import amount
from fastscale.paper.verdicts import FAILS, HOLDS, ON_CPU, UNDECIDED, UNMEASURED, verdicts
from fastscale.records import Record, network_fields
from fastscale.records.committed import committed
from fastscale.scaling import arch_named


def trained(artifact, records):
    return artifact.drawing.trained(artifact, records)


NAME = "evidence-cifar10"
# errors minus dwgr's, in points
WORSE = {
    None: 6.0,
    "d": 3.0,
    "wg": 0.4,
    "r": -2.0,
    "dw": 0.2,
    "dwgr": 0.0,
    "alpha=2/3": 5.0,
    "dWr": 0.1,
}


def made_up(
    seeds=(0, 1, 2),
    timed=False,
    device="made-up accelerator",
    device_type="cuda",
    scatter=0.05,
    **recipe,
):
    """One record per run: errors by WORSE, with a scatter by seed that differs by strategy."""
    artifact = load_artifact(NAME)
    env = {
        "device": device,
        "device_type": device_type,
        "threads": 1,
        "batch": 128,
        "date": "2020-01-01T00:00:00Z",
    }
    records = []
    for run in artifact.runs:
        fields = {**network_fields(arch_named(run.arch), 10), "data": "cifar10", "env": env}
        if run.seed in seeds:
            error = (
                40
                + WORSE[run.strategy]
                + 3 * run.seed
                + scatter * ((run.seed * 7 + len(run.arch)) % 3 - 1)
            )
            values = {"top1_error": error, "epoch_time_s": 10.0, "images_per_s": 5000.0}
            trained = {
                "recipe": run.recipe,
                "recipe_hash": "made-up",
                "seed": run.seed,
                "epochs": 2,
                "data_hash": "made-up",
                **recipe,
            }
            records.append(Record(kind="train", run=run.run, values=values, **trained, **fields))
        if timed and run.seed == 0:
            values = {"step_time_s": fields["acts"] / 1e6, "epoch_time_min": fields["acts"] / 1e4}
            records.append(Record(kind="time", run=f"{run.arch}.time", values=values, **fields))
    return records


@pytest.fixture(scope="module")
def artifact():
    return load_artifact(NAME)


def test_the_interval_is_students():
    """One stratum: the textbook's paired t. Several: the mean of their means, pooled variance."""
    values = [1.0, 1.6, 0.7, 1.1]
    low, high = stats.t.interval(0.95, 3, loc=sum(values) / 4, scale=stats.sem(values))
    found = estimate([values])
    assert (found.mean, found.low, found.high, found.pairs) == pytest.approx((1.1, low, high, 4))
    # pooled variance 2 / 3, standard error of the mean of means
    found = estimate([[0.0, 2.0], [5.0, 5.0, 5.0]])
    half = stats.t.ppf(0.975, 3) * (2 / 3 * (1 / 2 + 1 / 3)) ** 0.5 / 2
    assert (found.mean, found.high - found.mean, found.pairs) == pytest.approx((3.0, half, 5))


def test_what_cannot_be_estimated_is_not():
    assert (
        estimate([]) is None
        and estimate([[1.0], [2.0]]) is None
        and estimate([[1.0, 2.0], []]) is None
    )


def test_the_interval_covers_as_often_as_stated(artifact):
    """In 95 % of 2,000 simulated experiments the true difference lies inside it."""
    draws = stats.norm.rvs(loc=0.3, size=(2000, 4, 3), random_state=0)
    draws += np.array([0.0, 1.0, 2.0, 5.0])[:, None]  # strata differ
    inside = sum(e.low <= 0.3 + 2.0 <= e.high for e in map(estimate, draws.tolist()))
    assert 0.935 < inside / 2000 < 0.965


def test_pairs_share_base_size_and_seed(artifact):
    """An effect common to a seed's runs cancels; a seed without both runs makes no pair."""
    records = made_up()
    found = trained(artifact, records)
    assert difference(found, "d", "dwgr").pairs == 12 and difference(
        found, "d", "dwgr"
    ).mean == pytest.approx(3.0, abs=0.1)
    assert difference(found, "d", "dwgr", ["regnety-micro"], [4]).pairs == 3
    # with and without group width it is one strategy
    assert difference(found, "d", "dwr") == difference(found, "d", "dwgr")
    cell = found.cell("regnety-micro", 2, "dwgr")
    fewer = [r for r in records if (r.arch, r.seed) != (cell.arch, 1)]
    assert difference(trained(artifact, fewer), "d", "dwgr").pairs == 11
    none = [r for r in records if r.arch != cell.arch]
    assert difference(trained(artifact, none), "d", "dwgr") is None


def test_only_equal_conditions_are_compared(artifact):
    """Runs of two recipes are never mixed: the larger set counts, of equal sets the newer."""
    own, other = made_up(), made_up(seeds=(0, 1), recipe_hash="another")
    other = [replace(r, values={**r.values, "top1_error": 1.0}) for r in other]
    found = trained(artifact, [*other, *own])
    assert len(found.records) == 90 and {r.recipe_hash for r in found.records} == {"made-up"}
    newer = [
        replace(r, env={**r.env, "date": "2021-01-01T00:00:00Z"})
        for r in made_up(recipe_hash="another")
    ]
    assert {r.recipe_hash for r in trained(artifact, [*newer, *own]).records} == {"another"}
    assert trained(artifact, [replace(r, data="imagenet") for r in own]).records == ()
    wrong = replace(own[0], flops=own[0].flops + 1)
    with pytest.raises(InputError, match="counts are not the network's"):
        trained(artifact, [wrong, *own[1:]])


def test_what_was_trained_is_summed(artifact):
    found = trained(artifact, made_up())
    assert found.amount == (90 * 2 * 50_000, pytest.approx(90 * 20 / 3600))
    assert (
        "90 of 90 planned runs" in amount(found)
        and "9.0 M images" in amount(found)
        and "30 minutes" in amount(found)
    )
    silent = [replace(r, values={"top1_error": r.values["top1_error"]}) for r in made_up()]
    assert trained(artifact, silent).amount is None and "images" not in amount(
        trained(artifact, silent)
    )
    mean, spread, n = found.cell("regnety-micro", 4, "dWr").summary
    assert n == 3 and mean == pytest.approx(43.1, abs=0.1) and spread == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(
    "name", [name for name in list_artifacts() if name.startswith("evidence-")]
)
def test_declared_networks_are_distinct_and_of_the_declared_size(name):
    """Flops are within 25 % of the size, acts follow the strategy, no two networks are equal."""
    found = trained(load_artifact(name), [])
    scaled = [c for c in found.cells if c.strategy]
    networks = len(found.cells)
    assert networks == len({c.arch for c in found.cells}) == len(scaled) + len(found.plan.bases)
    assert all(abs(c.growth("flops") / c.size - 1) < 0.25 for c in scaled)
    counted = {(c.base, c.counts.flops, c.counts.params, c.counts.acts) for c in found.cells}
    assert len(counted) == networks
    off, compared = exponents_off(found, "acts")
    assert compared == len(scaled) and off < 0.1
    assert nearest_size(2.7, (2.0, 4.0)) == 2.0 and nearest_size(2.9, (2.0, 4.0)) == 4.0


def test_verdicts_follow_the_interval(artifact):
    """It holds, fails or is undecided if all, none or a part of the interval is in the margin."""

    def found(records):
        return {
            v.claim.id.removeprefix(f"{NAME}-"): v.verdict
            for v in verdicts(records)
            if v.artifact == NAME
        }

    sure = found(made_up(timed=True))
    assert (
        sure["fast-as-accurate"] == sure["dw-as-accurate"] == HOLDS
        and sure["alpha-as-accurate"] == FAILS
    )
    assert (
        sure["depth-is-worse"] == sure["width-is-worse"] == HOLDS
        and sure["resolution-is-worse"] == FAILS
    )
    assert sure["acts-grow-as-the-theory-says"] == sure["acts-predict-time"] == HOLDS
    doubtful = found(made_up(scatter=2.0))
    assert doubtful["width-is-worse"] == UNDECIDED and doubtful["acts-predict-time"] == UNMEASURED
    assert found([])["depth-is-worse"] == UNMEASURED
    assert found(made_up(timed=True, device_type="cpu"))["acts-predict-time"] == ON_CPU
    alone = [r for r in made_up(timed=True, device_type="cuda") if r.kind == "time"]
    assert found(alone)["acts-predict-time"] == HOLDS, "timing needs no training"
    assert found(alone[1:])["acts-predict-time"] == UNMEASURED, "but all of the networks"
    (needed,) = [v for v in verdicts(alone[1:]) if v.claim.id == f"{NAME}-acts-predict-time"]
    assert needed.needs == "device times of 1 of its 30 networks, on one accelerator"
    table = claims_table([v for v in verdicts(made_up()) if v.artifact == NAME])
    assert any(
        re.search(r"^\+3\.\d\d \[\+[23]\.\d\d, \+3", cell) for row in table.shown() for cell in row
    )


def test_only_times_of_the_same_device_count(artifact):
    assert time_correlation(trained(artifact, made_up(timed=True)), "acts") == (
        pytest.approx(1.0),
        30,
    )
    elsewhere = [
        r if r.kind == "train" else replace(r, env={**r.env, "device": "other"})
        for r in made_up(timed=True)
    ]
    assert time_correlation(trained(artifact, elsewhere), "acts") is None


def test_drawn_twice_it_is_the_same_to_the_byte(artifact, tmp_path, stay_at):
    root = tmp_path / "root"
    (root / "configs" / "artifacts").mkdir(parents=True)
    curves = root / "paper_figures" / "records" / "curves" / f"{NAME}.csv"
    curves.parent.mkdir(parents=True)
    records = made_up(timed=True)
    stay_at(root)

    def write(last):
        with open(curves, "w", newline="") as file:
            courses = [
                [r.run, r.seed, k, 1, 1, r.values["top1_error"] + (2 - k) + last * (k == 2), 1]
                for r in records
                if r.seed is not None
                for k in (1, 2)
            ]
            csv.writer(file).writerows([TOGETHER, *courses])

    write(0)
    first, second = (produce_artifact(artifact, records, tmp_path / name) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    names = {p.name for p in first}
    assert {
        f"{NAME}{part}.svg" for part in ("", "-differences", "-curves")
    } < names and f"{NAME}-differences.csv" in names
    text = (tmp_path / "a" / "figures" / f"{NAME}.md").read_text()
    assert "90 of 90 planned runs" in text and "| d | all | all |  |  | +3." in text
    write(1)
    with pytest.raises(InputError, match="ends at .* after 2 epochs, the record says"):
        produce_artifact(artifact, records, tmp_path / "c")
    curves.unlink()
    bare = produce_artifact(artifact, [], tmp_path / "d")
    assert {p.suffix for p in bare} == {
        ".md",
        ".csv",
        ".tex",
    } and "no network has been trained yet" in (
        tmp_path / "d" / "figures" / f"{NAME}.md"
    ).read_text()


def test_the_first_of_several_sizes_is_hollow():
    for name, marks in (("small", ["filled"]), ("", ["hollow", "filled"])):
        artifact = load_artifact("-".join(filter(None, (NAME, name))))
        (page,) = pages(artifact, committed())
        _, *sizes = page.pictures[f"{artifact.name}-differences"].notes
        assert [line.partition(":")[0] for line in sizes] == marks
        assert "small" not in artifact.name or sizes[0].endswith("dwgr x3.85")
