"""The planner recommends what evidence supports, and is less sure farther from measurements."""

import csv
import math

import pytest

import fastscale as fs
from fastscale.cli.options import COUNT, MOST_BATCH
from fastscale.home import home
from fastscale.planning import device_named
from fastscale.planning.evidence import FINDINGS, LADDERS, published_error, rank
from fastscale.planning.predict import FAR, WIDER
from tests.cli.test_cli import run

FIGURES, XIAO = ("fig4", "fig6", "fig4 fig6"), "xiao2021_table2"


def csv_rows(name):
    with open(home().figures / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("base", ["regnety-500mf", "regnetz-500mf", "efficientnet-b0"])
@pytest.mark.parametrize("budgets", [{"epoch_time_min": 12}, {"flops": 4e9}, {"acts": 3e7}])
def test_the_fast_compound_strategy_comes_first_and_width_alone_after_it(base, budgets):
    found = fs.plan(base, device="v100", **budgets)
    order = [c.strategy for c in found.candidates]
    assert order[0] == "dWr" and found.best.strategy == "dWr" and found.best.pareto
    assert order.index("wg") > order.index("dWr")
    ranks = [c.rank for c in found.candidates if not c.far]
    assert ranks == sorted(ranks) and {c.rank for c in found.pareto} == {1}


def test_width_alone_is_not_best_for_having_most_flops():
    found = fs.plan("regnety-500mf", ["wg", "dWr"], epoch_time_min=40, device="v100")
    fast, wide = found.candidates
    assert (fast.strategy, wide.strategy) == ("dWr", "wg")
    assert wide.counts.flops > fast.counts.flops and fast.pareto and not wide.pareto


def test_a_strategy_is_ranked_by_what_grows():
    assert [rank(s) for s in ("dwr", "d1_w8_g8_r1", "alpha=0.9")] == [1, 1, 1]
    assert [rank(s) for s in ("dw", "wr", "dr", "alpha=0")] == [2, 2, 2, 2]
    assert [rank(s) for s in ("d", "w", "r", "alpha=0.99")] == [3, 3, 3, 3]


def test_what_the_paper_found_is_what_its_points_say():
    """Differences to uniform scaling at the same factor, in the digitised figures."""
    rows = [row for row in csv_rows("reference/paper_points.csv") if row["artifact"] in FIGURES]
    errors = {(r["strategy"], r["target"]): float(r["top1_error"]) for r in rows}
    for strategy, found in FINDINGS.items():
        if found.paper is None:
            assert not any(name == strategy for name, _ in errors)
            continue
        points, factor, _ = found.paper
        at = next(t for name, t in errors if name == strategy and float(t[2:]) == factor)
        assert errors[strategy, at] - errors["dwr", at] == pytest.approx(points, abs=1e-9)
    for strategy in ("dWr", "alpha=2/3"):
        assert abs(errors[strategy, "s=11.0"] - errors["dwr", "s=11.0"]) < 0.2
    table = [r for r in csv_rows("reference/paper_points.csv") if r["artifact"] == XIAO]
    for family, ladder in LADDERS.items():
        rows = [r for r in table if r["family"] == family and r["epochs"] == "100"]
        assert ladder == tuple((float(r["flops_b"]), float(r["top1_error"])) for r in rows)


def test_what_we_found_is_what_our_records_say():
    rows = {
        (row["strategy"].replace("wg", "w"), row["size"]): row
        for row in csv_rows("figures/evidence-cifar10-differences.csv")
        if row["bases"] == "all"
    }
    for strategy, found in FINDINGS.items():
        for points, size, sure in found.ours:
            row = rows[strategy, size]
            low, high = (float(row[f"difference_{end}"]) for end in ("low", "high"))
            assert float(row["difference_mean"]) == pytest.approx(points, abs=0.051)
            assert sure == (low * high > 0)


def test_published_errors_are_not_stretched():
    assert published_error("RegNetY", 4.1e9) == pytest.approx(19.4)
    assert 17.1 < published_error("RegNetY", 8e9) < 19.4
    assert published_error("RegNetY", 60e9) is published_error("ResNet", 4e9) is None


def test_the_family_with_the_lower_published_error_comes_first():
    found = fs.plan(["regnety-500mf", "regnetz-500mf"], ["dWr", "wg"], flops=4e9)
    assert [c.base for c in found.candidates if c.rank == 1] == ["regnetz-500mf", "regnety-500mf"]
    reasons = {name: why for names, why in found.answer.others for name in names}
    assert (
        "RegNetYs of its size have 19.5 % published error" in reasons[found.candidates[1].arch.name]
    )
    wide = next(c.arch.name for c in found.candidates if c.strategy == "wg")
    assert "width alone: 0.7 points more error than uniform scaling" in reasons[wide]
    assert set(reasons) == {c.arch.name for c in found.candidates[1:]}
    assert found.to_dict()["answer"]["verdict"] == "recommended"


@pytest.mark.parametrize(
    ("text", "value"), [("4G", 4e9), ("4e9", 4e9), ("1.5b", 1.5e9), ("400M", 4e8), ("30k", 3e4)]
)
def test_counts_may_have_a_unit(text, value):
    assert COUNT(text) == value


def test_the_interval_widens_with_the_distance():
    spread = device_named("v100").law("training").spread("regnety")
    widths = []
    for resolution in (224, 1000, 2000, 4000):
        p = fs.predict_time("regnety-4gf", "v100", resolution=resolution)
        width = math.log(p.high / p.image_time_s)
        assert width == pytest.approx(spread + WIDER * math.log(p.beyond))
        assert (p.beyond > 1) == p.extrapolated and p.far == (p.beyond > FAR)
        widths.append(width)
    assert widths == sorted(widths) and widths[-1] > widths[0] + 0.2
    assert "resolution" in fs.predict_time("regnety-4gf", "v100", resolution=1776).outside


def test_far_outside_nothing_is_recommended(capsys):
    code, out, _ = run(
        capsys, "plan", "regnety-500mf", "--strategies", "wg", "dWr", "--flops", "1e12"
    )
    assert code == 0 and "!! outside the measured range" in out
    assert "Nothing recommended: even the first, regnety-500mf." in out
    assert "measure first: fastscale time regnety-500mf." in out and "fit --run" not in out


@pytest.mark.parametrize("what", [["regnety-500mf"], ["--weights", "lite"]])
def test_an_unmeasured_batch_is_refused_with_advice(capsys, what):
    question = ["--latency-ms", "20", "--latency-batch", "1", "--device", "rtx-4090"]
    code, out, _ = run(capsys, "plan", *what, *question)
    said = " ".join(out.split())
    assert code == 0 and "Nothing recommended: even the first, " in said
    assert "batch" in said.split("even the first, ")[1].split(")")[0]
    assert out.splitlines()[-1].startswith("measure first: fastscale time ")
    assert len(out.splitlines()[-1].split()) == 5
    assert "rtx-4090 was measured with " in said and "plan with --latency-batch " in said


def test_what_is_far_outside_comes_after_what_is_not():
    found = fs.plan("regnety-500mf", ["dwr", "d"], device="v100", flops=20e9)
    assert [c.far for c in found.candidates] == sorted(c.far for c in found.candidates)


@pytest.mark.parametrize(
    ("options", "training", "served"),
    [
        ({"latency_ms": 50, "batch": 1}, 128, 1),  # only latency: the batch is for inference
        ({"latency_ms": 50, "batch": 1, "latency_batch": 2}, 1, 2),
        ({"latency_ms": 500, "epoch_time_min": 60, "batch": 64}, 64, 256),
        ({"epoch_time_min": 60, "batch": 64}, 64, 256),
        ({"epoch_time_min": 60, "latency_batch": 1}, 128, 1),
    ],
)
def test_the_training_batch_is_not_that_of_latency(options, training, served):
    law = device_named("rtx-4090").law("inference")
    found = fs.plan("regnety-500mf", ["dWr"], device=["v100", "rtx-4090"], **options)
    batches = found.conditions.training_batch, found.conditions.served
    assert batches == (training, law.batch if served == 256 else served)
    assert (found.best.training.batch, found.best.inference.batch) == batches


@pytest.mark.parametrize("name", ["flops", "epoch-time-min", "memory-mib", "latency-ms", "params"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "1e308", "1e400", "", "many"])
def test_senseless_budgets_are_one_line(capsys, name, value):
    code, _, err = run(capsys, "plan", "regnety-tiny", f"--{name}={value}")
    assert code == 2 and err.count("\n") == 1 and "wanted a number" in err


@pytest.mark.parametrize("verb", ["plan regnety-tiny", "time regnety-tiny", "info regnety-tiny"])
@pytest.mark.parametrize("value", ["1e20", "-3", "0", "2.5", "nan", str(MOST_BATCH + 1)])
def test_senseless_sizes_are_one_line(capsys, verb, value):
    option = "--classes" if verb.startswith("info") else "--batch"
    code, _, err = run(capsys, *verb.split(), f"{option}={value}")
    assert code == 2 and err.count("\n") == 1 and "wanted a whole number" in err
