"""The law: its terms, its fit, and its predictions of left-out groups."""

import math
import random

import numpy as np
import pytest
import scipy.optimize

import fastscale as fs
from fastscale.planning.fit import fit, nnls, power_law
from fastscale.planning.law import LAWS, Law, Observation
from fastscale.planning.terms import terms
from fastscale.planning.validate import choose, law_errors, left_out, median_error, spread

NAMES = (
    "regnety-500mf",
    "regnetz-500mf",
    "regnety-4gf",
    "regnetz-4gf",
    "efficientnet-b0",
    "efficientnet-b3",
    "resnet-50",
    "resnext-50",
)
TRUTH = Law("full", {"flops": 2e-14, "acts": 1e-10, "params": 3e-10, "layers": 2e-5})


def observed(slower=lambda name, strategy: 1.0, batches=(16, 128)):
    made = []
    for name in NAMES:
        for strategy in ("none", "dWr", "dwr"):
            arch = fs.arch(name) if strategy == "none" else fs.scale(name, strategy, 3)
            for batch in batches:
                counted = terms(arch)
                time = TRUTH.image_time_s(counted, batch) * slower(name, strategy)
                made.append(
                    Observation(
                        arch.name,
                        arch.family.lower(),
                        strategy,
                        arch.resolution,
                        counted,
                        batch,
                        time,
                    )
                )
    return made


@pytest.mark.parametrize(
    "name", ["regnety-4gf.dWr-x4", "efficientnet-b0", "resnet-50", "regnetz-tiny"]
)
def test_terms_are_the_counts(name):
    arch = fs.arch(name)
    counted, cx = terms(arch, num_classes=10), fs.complexity(arch, num_classes=10)
    assert (counted.flops, counted.params, counted.acts) == (cx.flops, cx.params, cx.acts)

    every = arch.layers(num_classes=10)
    assert counted.layers == len(every)
    assert counted.grouped_acts == sum(x.acts for x in every if x.groups > 1)
    assert counted.plain_acts + counted.grouped_acts == counted.acts


def test_params_and_layers_are_paid_once_a_step():
    counted = terms(fs.arch("resnet-50"))
    per_image = counted.flops * 2e-14 + counted.acts * 1e-10
    step = counted.params * 3e-10 + counted.layers * 2e-5
    for batch in (1, 8, 512):
        assert TRUTH.image_time_s(counted, batch) * batch == pytest.approx(batch * per_image + step)


def test_fit_finds_the_truth_and_no_coefficient_is_negative():
    found = fit(observed())
    assert found.seconds == pytest.approx(TRUTH.seconds, rel=1e-6)
    rng = random.Random(0)
    noisy = [
        Observation(*o[:6], o[6] * math.exp(rng.gauss(0, 0.3)))
        for o in map(lambda o: tuple(vars(o).values()), observed())
    ]
    for law in LAWS:
        assert min(fit(noisy, law).seconds.values()) >= 0


def test_fit_is_the_least_log_error():
    rng = np.random.default_rng(1)
    noisy = [
        Observation(**{**vars(o), "image_time_s": o.image_time_s * math.exp(rng.normal(0, 0.4))})
        for o in observed()
    ]

    def error(law):
        return sum(
            math.log(law.image_time_s(o.terms, o.batch) / o.image_time_s) ** 2 for o in noisy
        )

    best = fit(noisy)
    for _ in range(200):
        near = Law(
            "full",
            {name: value * math.exp(rng.normal(0, 0.05)) for name, value in best.seconds.items()},
        )
        assert error(near) >= error(best) - 1e-9
    zero = [name for name, value in best.seconds.items() if value == 0]
    for name in zero:  # a small coefficient for an unused term does not help either
        near = Law("full", {**best.seconds, name: TRUTH.seconds[name] * 0.01})
        assert error(near) >= error(best) - 1e-9


def test_power_law():
    assert power_law([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx((3, 2))


def test_too_few_networks():
    with pytest.raises(fs.InputError, match="too few for a law of 4 terms: measure 5 or more"):
        fit(observed()[:4])


def test_a_group_left_out_takes_no_part():
    twice = observed(lambda name, strategy: 2.0 if name.startswith("regnetz") else 1.0)
    errors = left_out(twice, "full", "family")
    for o, log in zip(twice, errors, strict=True):
        if o.family == "regnetz":  # the others obey the true law, which predicts half of its time
            assert log == pytest.approx(-math.log(2), abs=1e-6)
    slow_strategy = observed(lambda name, strategy: 3.0 if strategy == "dWr" else 1.0)
    logs = left_out(slow_strategy, "full", "strategy")
    slow = [x for o, x in zip(slow_strategy, logs, strict=True) if o.strategy == "dWr"]
    assert slow == pytest.approx([-math.log(3)] * 16, abs=1e-6)
    assert left_out([o for o in observed() if o.family == "resnet"], "full", "family") == []


def test_spread_and_median():
    # of 10 values the largest
    assert spread([0.1 * i * (-1) ** i for i in range(1, 11)]) == pytest.approx(1.0)
    assert spread([0.01 * i for i in range(1, 100)]) == pytest.approx(0.9)
    assert median_error([math.log(1.1), math.log(0.8), math.log(1.5)]) == pytest.approx(0.2)
    assert spread([]) is None and median_error([]) is None


def test_the_law_is_chosen_by_what_was_left_out():
    law, spreads = choose(observed())
    assert law.name == "full" and set(spreads) == {"family", "strategy"}
    assert max(spreads.values()) < 1e-4
    # grouped convs cost ten times as much as others
    slow_groups = [
        Observation(**{**vars(o), "image_time_s": o.image_time_s + 1e-9 * o.terms.grouped_acts})
        for o in observed()
    ]
    law, spreads = choose(slow_groups)
    assert law.name == "split" and law.seconds["grouped_acts"] == pytest.approx(1.1e-9, rel=1e-4)
    errors = law_errors(slow_groups, "family")
    assert set(errors) == {"full", "split", "acts", "flops", "params"}
    assert errors["split"] < 1e-3 < errors["full"]


@pytest.mark.parametrize("seed", range(40))
def test_non_negative_least_squares_equals_scipys_from_any_start(seed):
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(6, 60)), int(rng.integers(1, 6))
    a = rng.random((rows, columns)) @ (np.eye(columns) + rng.random((columns, columns)))
    b = a @ rng.normal(size=columns) + rng.normal(size=rows) / 10
    wanted = scipy.optimize.nnls(a, b)[0]
    for start in (None, np.ones(columns, bool), rng.random(columns) < 0.5):
        assert nnls(a, b, start) == pytest.approx(wanted, abs=1e-9)
    if columns > 1:  # two equal columns: the prediction is the same, however they share it
        a[:, 1] = a[:, 0]
        predicted = a @ scipy.optimize.nnls(a, b)[0]
        for start in (None, np.ones(columns, bool)):
            assert a @ nnls(a, b, start) == pytest.approx(predicted, abs=1e-9)
