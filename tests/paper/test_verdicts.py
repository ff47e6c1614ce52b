"""Verdicts: only our numbers decide, a CPU decides nothing, unmeasured claims are called so."""

from dataclasses import replace

import pytest

from fastscale.errors import InputError
from fastscale.paper.artifacts import list_artifacts, load_artifact
from fastscale.paper.claims import Ours, condition, meets, read_claim
from fastscale.paper.tables.claims import claims_table, evidence, grouped, sentences, summary
from fastscale.paper.verdicts import HOLDS, ON_CPU, UNDECIDED, UNMEASURED, judge, verdicts
from fastscale.records.committed import committed

GPU = {"device": "made-up accelerator", "device_type": "cuda"}
CLAIM = {
    "id": "x",
    "claim": "c",
    "paper": 0.9,
    "side": "at least",
    "tolerance": 0.1,
    "computed": "how",
    "measure": {"correlation": "acts", "pool": "fig-2"},
}


@pytest.fixture(scope="module")
def unmeasured():
    return verdicts([])


def of(found, claim):
    return [v for v in found if v.claim.id == claim]


def test_every_claim_is_judged_once_without_records(unmeasured):
    declared = [claim.id for name in list_artifacts() for claim in load_artifact(name).claims]
    assert len(declared) == len(set(declared)) >= 25 and sorted(
        v.claim.id for v in unmeasured
    ) == sorted(declared)
    for v in unmeasured:
        assert (
            v.verdict == (HOLDS if v.ours else UNMEASURED)
            or v.verdict.endswith("holds, in others' measurements")
            or (
                v.claim.id == "rtx3090-training-nhwc-follows-acts"
                and v.verdict == "does not hold, in others' measurements"
            )
        ), v.claim.id
        assert v.ours is None or v.ours.where in ("counted", "closed form")


def test_numbers_computed_again(unmeasured):
    found = {v.claim.id: v.recomputed for v in unmeasured}
    assert found["dWr-is-faster-than-compound"] == pytest.approx(11.15 / 17.4)
    assert found["dWr-is-as-accurate-as-compound"] == pytest.approx(17.61 - 17.46)
    assert found["regnetz-16gf-is-faster-than-b5"] == pytest.approx(32.0 / 41.7)
    assert found["regnetz-16gf-is-more-accurate-than-b5"] == pytest.approx(16.0 - 17.3)
    assert found["width-alone-is-fastest"] == pytest.approx(8.87 / 11.15, rel=0.01)
    assert (
        found["rtx3090-training-nhwc-follows-acts"]
        < 0
        < found["rtx3090-training-nchw-follows-acts"]
    )
    assert found["rtx4090-eager-follows-acts"] == pytest.approx(0.101, abs=1e-3)


def test_an_accelerator_decides_and_a_cpu_does_not(measured):
    found = verdicts(measured("fig-2", **GPU) + measured("fig-2"))
    (gpu,) = of(found, "time-follows-acts")
    assert (gpu.ours.where, gpu.verdict, gpu.ours.n) == (
        "made-up accelerator, 16-mixed, channels_last, eager time (host launches included)",
        HOLDS,
        51,
    )
    assert gpu.ours.value == pytest.approx(1)  # the made-up times are proportional to acts
    assert of(verdicts(measured("fig-2")), "time-follows-acts")[0].verdict == UNMEASURED
    on_cpu = gpu.ours._replace(on_cpu=True)
    assert judge(gpu.claim, gpu.recomputed, on_cpu) == ON_CPU


def test_it_must_hold_with_and_without_stand_ins():
    claim = read_claim(CLAIM)
    assert judge(claim, None, Ours(0.95, 9, "g", without=0.9)) == HOLDS
    assert judge(claim, None, Ours(0.95, 9, "g", without=0.7)) == UNDECIDED
    assert judge(claim, None, Ours(0.75, 9, "g", without=0.7)) == "does not hold"


def test_a_verdict_names_the_missing_measurements(measured, unmeasured):
    needs = {v.claim.id: v.needs for v in unmeasured if v.verdict == UNMEASURED}
    assert needs["dWr-is-faster-than-compound"] == (
        "device time of efficientnet-b0.dWr-x11, efficientnet-b0.dwr-x11"
    )
    assert needs["compound-beats-depth"].startswith("imagenet error by imagenet-100ep of efficient")
    assert needs["zoo-time-follows-acts"] == "device times of the 36 networks of zoo-v100"
    assert needs["evidence-imagenet-fast-as-accurate"].startswith("90 of 90 runs by imagenet-100ep")
    assert all(needs.values())
    partly = [r for r in measured("fig-6", **GPU) if r.arch != "efficientnet-b0.dwr-x11"]
    (verdict,) = of(verdicts(partly), "dWr-is-faster-than-compound")
    assert verdict.needs == "device time of efficientnet-b0.dwr-x11"
    table = claims_table(unmeasured)
    assert {row[-1] for row in table.rows if row[-2] == HOLDS} == {None}


def test_a_claim_can_fail(measured):
    slow = [
        replace(r, values=r.values | {"epoch_time_min": r.flops / 1e8})
        for r in measured("fig-2", **GPU)
    ]
    (verdict,) = of(verdicts(slow), "time-follows-acts")
    assert verdict.verdict == "does not hold" and verdict.ours.value < 0.9
    assert summary(of(verdicts(slow), "time-follows-acts")) == "1 claim: 1 does not."
    both = [*of(verdicts(slow), "time-follows-acts"), verdict._replace(verdict=HOLDS)]
    assert summary(both) == "1 claim: 1 holds in part only."
    several = [
        v._replace(claim=v.claim.model_copy(update={"id": str(i)}))
        for i, v in enumerate([*both, *both])
    ]
    assert summary(several) == "4 claims: 2 hold, 2 do not."


def test_the_least_of_several(measured):
    """Ours must all be known; of the published ones, the known ones count."""
    (verdict,) = of(verdicts(measured("fig-1", **GPU)), "width-alone-is-fastest")
    assert (
        verdict.networks == 3
        and verdict.verdict == HOLDS
        and verdict.ours.value == pytest.approx(22.696 / 29.153, rel=0.01)
    )
    without = [r for r in measured("fig-1", **GPU) if ".dw-" not in r.arch]
    assert of(verdicts(without), "width-alone-is-fastest")[0].verdict == UNMEASURED


def test_errors_count_only_by_the_planned_recipe(measured):
    trained = measured("fig-6", seeds=(0, 1), timed=False, **GPU)
    (verdict,) = of(verdicts(trained), "dWr-is-as-accurate-as-compound")
    assert verdict.ours.n == 2 and verdict.ours.where == "imagenet, recipe imagenet-100ep"
    other = measured(
        "fig-6", seeds=(0,), timed=False, recipe="imagenette-60ep", data="imagenette", **GPU
    )
    assert of(verdicts(other), "dWr-is-as-accurate-as-compound")[0].verdict == UNMEASURED


@pytest.mark.parametrize(
    ("side", "tolerance", "value", "expected", "message"),
    [
        ("at least", 0.1, 0.81, True, "at least 0.8"),
        ("at least", 0.1, 0.79, False, "at least 0.8"),
        ("at most", 0.1, 0.5, True, "at most 1"),
        ("at most", 0.1, 1.01, False, "at most 1"),
        ("near", 0.1, 0.99, True, "0.8 to 1"),
        ("near", 0.1, 1.01, False, "0.8 to 1"),
        ("near", 0, 0.9, True, "0.9"),
    ],
)
def test_sides(side, tolerance, value, expected, message):
    claim = read_claim(CLAIM | {"side": side, "tolerance": tolerance})
    assert meets(claim, value, 0.9) is expected and condition(claim, 0.9) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "two\nlines"}, "claim: must be one line"),
        ({"paper": "much"}, "paper: must be a valid number, not 'much'"),
        ({"tolerance": None}, "tolerance: must be a valid number"),
        ({"side": "about"}, "side: must be 'near', 'at least' or 'at most', not 'about'"),
        ({"measure": {}}, "measure: must begin with one of the keys"),
        ({"colour": 1}, "unknown key 'colour'"),
    ],
)
def test_wrong_claims_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        read_claim(CLAIM | change)


def test_a_claim_without_any_number_to_meet():
    with pytest.raises(InputError, match="nothing to compare ours with"):
        judge(read_claim(CLAIM | {"paper": None}), None, Ours(1.0, 1, "counted"))


def test_three_sentences_tell_what_holds_what_fails_and_what_is_missing(measured, unmeasured):
    holds, fails, missing = sentences(unmeasured)
    assert holds.startswith("**Holds** (") and "counted" in holds and "accelerator" not in holds
    assert fails == "**Does not hold** (0): nothing so far."
    assert "device times" in missing and "errors on ImageNet" in missing
    slow = [
        replace(r, values=r.values | {"epoch_time_min": r.flops / 1e8})
        for r in measured("fig-2", **GPU)
    ]
    assert "on made-up accelerator" in sentences(verdicts(measured("fig-2", **GPU)))[0]
    _, fails, _ = sentences(verdicts(slow))
    assert "Epoch time follows activations, whatever the way of scaling" in fails


def test_a_verdict_in_words(measured, unmeasured):
    groups = grouped(verdicts(measured("fig-2", **GPU)))
    assert next(iter(groups)) == "Holds" and sum(map(len, groups.values())) >= len(unmeasured)
    (verdict,) = of(groups["Holds"], "time-follows-acts")
    assert evidence(verdict).startswith("Paper 0.99, ours 1 (n 51), made-up accelerator")
    (verdict,) = of(unmeasured, "zoo-time-follows-acts")
    assert evidence(verdict) == (
        "From published points 0.926, needs device times of the 36 networks of zoo-v100."
    )
    (verdict,) = of(verdicts(committed()), "regnety-time-of-width-against-depth")
    assert evidence(verdict).startswith("From acts counted here 0.469, ours 0.291 (n 1), NVIDIA")
