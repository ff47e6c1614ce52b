"""The policies: the published tables, their ranges, and the probability of each outcome."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from fastscale.data.augment.policy import (
    AUGMENTATIONS,
    DRAWS,
    IMAGENET,
    RAND,
    efficientnet,
    operations,
    policy,
    published,
    rand_choices,
)
from fastscale.data.framing import CROP_DRAWS, Framing, uniforms
from fastscale.errors import InputError
from fastscale.training.recipe import AUGMENTATIONS as RECIPES_KNOW

N = 40000

# Cubuk et al. 2019, appendix, the ImageNet policy; equal to torchvision 0.28.0's
# AutoAugmentPolicy.IMAGENET and timm 1.0.31's "original"
PUBLISHED = [
    ("Posterize", 0.4, 8, "Rotate", 0.6, 9),
    ("Solarize", 0.6, 5, "AutoContrast", 0.6, None),
    ("Equalize", 0.8, None, "Equalize", 0.6, None),
    ("Posterize", 0.6, 7, "Posterize", 0.6, 6),
    ("Equalize", 0.4, None, "Solarize", 0.2, 4),
    ("Equalize", 0.4, None, "Rotate", 0.8, 8),
    ("Solarize", 0.6, 3, "Equalize", 0.6, None),
    ("Posterize", 0.8, 5, "Equalize", 1.0, None),
    ("Rotate", 0.2, 3, "Solarize", 0.6, 8),
    ("Equalize", 0.6, None, "Posterize", 0.4, 6),
    ("Rotate", 0.8, 8, "Color", 0.4, 0),
    ("Rotate", 0.4, 9, "Equalize", 0.6, None),
    ("Equalize", 0.0, None, "Equalize", 0.8, None),
    ("Invert", 0.6, None, "Equalize", 1.0, None),
    ("Color", 0.6, 4, "Contrast", 1.0, 8),
    ("Rotate", 0.8, 8, "Color", 1.0, 2),
    ("Color", 0.8, 8, "Solarize", 0.8, 7),
    ("Sharpness", 0.4, 7, "Invert", 0.6, None),
    ("ShearX", 0.6, 5, "Equalize", 1.0, None),
    ("Color", 0.4, 0, "Equalize", 0.6, None),
    ("Equalize", 0.4, None, "Solarize", 0.2, 4),
    ("Solarize", 0.6, 5, "AutoContrast", 0.6, None),
    ("Invert", 0.6, None, "Equalize", 1.0, None),
    ("Color", 0.6, 4, "Contrast", 1.0, 8),
    ("Equalize", 0.8, None, "Equalize", 0.6, None),
]


def test_the_table_is_the_published_one():
    rows = [line.split() for line in IMAGENET.strip().splitlines()]
    ours = [
        (a.replace("_", ""), float(p), int(m), b.replace("_", ""), float(q), int(n))
        for a, p, m, b, q, n in rows
    ]
    assert ours == [(a.lower(), p, m or 0, b.lower(), q, n or 0) for a, p, m, b, q, n in PUBLISHED]
    assert len(policy("autoaugment")) == len(policy("autoaugment-v0")) == 25
    assert [[c for c, _ in sub] for sub in policy("autoaugment")] == [
        [row[1], row[4]] for row in PUBLISHED
    ]


def test_published_ranges():
    """torchvision's, magnitudes 0 to 9: changes grow with the magnitude."""
    spread = {name: [published(name, m / 9) for m in range(10)] for name in (*RAND, "invert")}
    assert spread["rotate"][9] == (("rotate", 30.0), ("rotate", -30.0)) and spread["rotate"][3][
        0
    ] == ("rotate", 10.0)
    assert (
        spread["shear_x"][5][1][1] == pytest.approx(-0.3 * 5 / 9)
        and spread["shear_y"][9][0][1] == 0.3
    )
    assert int(spread["translate_x"][9][0][1] * 331) == 150
    assert [spread["posterize"][m][0][1] for m in range(10)] == [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]
    assert [round(spread["solarize"][m][0][1], 2) for m in (0, 3, 4, 9)] == [255, 170, 141.67, 0]
    for name in ("brightness", "color", "contrast", "sharpness"):
        assert [
            pair and (round(pair[0][1], 3), round(pair[1][1], 3))
            for pair in (spread[name][8], spread[name][9])
        ] == [
            (1.8, 0.2),
            (1.9, 0.1),
        ]
    for name in ("rotate", "shear_x", "translate_y", "color"):
        assert spread[name][0] == (None, None), "nothing to do at magnitude 0"
    assert {spread[name][7][0] for name in ("equalize", "autocontrast", "invert")} == {
        ("equalize", 0),
        ("autocontrast", 0),
        ("invert", 0),
    }


def test_efficientnets_ranges():
    """Magnitudes 0 to 10; colour factors, posterize and solarize do more at lower ones."""
    assert [efficientnet("posterize", m / 10)[0][1] for m in (0, 2, 6, 10)] == [1, 1, 2, 4]
    assert [efficientnet("solarize", m / 10)[0][1] for m in (0, 2, 8, 10)] == [0, 51, 204, 256]
    assert [efficientnet("solarize_add", m / 10)[0][1] for m in (3, 7)] == [33, 77]
    assert [round(efficientnet("color", m / 10)[1][1], 2) for m in (0, 5, 9)] == [0.1, 1.0, 1.72]
    assert efficientnet("rotate", 0.8) == (("rotate", 24.0), ("rotate", -24.0)) and efficientnet(
        "rotate", 0
    ) == (None, None)
    assert efficientnet("translate_y", 0.9)[0][1] == pytest.approx(0.405) and efficientnet(
        "shear_x", 0.9
    )[1][1] == pytest.approx(-0.27)


def test_randaugments_operations():
    """14 operations, each at magnitude 9 of 30."""
    values = {pair[0][0]: pair for pair in rand_choices() if pair[0] is not None}
    assert (
        len(rand_choices()) == 14
        and rand_choices()[0] == (None, None)
        and len(values) == 13
        and "invert" not in values
    )
    assert (
        values["rotate"] == (("rotate", 9.0), ("rotate", -9.0)) and values["posterize"][0][1] == 7
    )
    assert values["solarize"][0][1] == pytest.approx(178.5) and values["color"][1][
        1
    ] == pytest.approx(0.73)


def outcomes(augmentation):
    """{operations of an image: their probability}."""
    expected = Counter()
    if augmentation == "randaugment":
        for first, second in product(rand_choices(), repeat=2):
            for a, b in product(first, second):
                expected[tuple(op for op in (a, b) if op)] += 1 / 14 / 14 / 4
        return expected
    for sub in policy(augmentation):
        for applied in product((True, False), repeat=2):
            for signs in product((0, 1), repeat=2):
                chance = (
                    np.prod([c if yes else 1 - c for (c, _), yes in zip(sub, applied, strict=True)])
                    / 25
                    / 4
                )
                drawn = [
                    pair[s] for (_, pair), s, yes in zip(sub, signs, applied, strict=True) if yes
                ]
                expected[tuple(op for op in drawn if op)] += chance
    return expected


@pytest.mark.parametrize("augmentation", ["autoaugment", "autoaugment-v0", "randaugment"])
def test_each_outcome_has_its_probability(augmentation):
    """Chi-square over all outcomes, within five standard deviations of its mean."""
    expected = {k: p * N for k, p in outcomes(augmentation).items() if p > 0}
    seen = Counter(
        tuple(ops)
        for ops in Framing(True, 32, 32, seed=1, augmentation=augmentation).operations(
            3, np.arange(N)
        )
    )
    assert set(seen) <= set(expected) and sum(expected.values()) == pytest.approx(N)
    common = [k for k, e in expected.items() if e >= 5]
    chi2, freedom = sum((seen[k] - expected[k]) ** 2 / expected[k] for k in common), len(common) - 1
    assert len(common) > 50 and abs(chi2 - freedom) < 5 * np.sqrt(2 * freedom)


def test_draws_depend_only_on_seed_epoch_and_image():
    framing = Framing(True, 32, 32, seed=1, augmentation="autoaugment")
    all_at_once = framing.operations(2, np.arange(500))
    assert framing.operations(2, np.array([499, 7]))[1] == all_at_once[7]
    assert [framing.operations(2, np.array([i]))[0] for i in range(50)] == all_at_once[:50]
    for other in (
        framing.operations(3, np.arange(500)),
        Framing(True, 32, 32, seed=2, augmentation="autoaugment").operations(2, np.arange(500)),
    ):
        assert np.mean([a != b for a, b in zip(other, all_at_once, strict=True)]) > 0.8


def test_crops_are_independent_of_the_augmentation():
    sizes = np.full(N, 100)
    plain, augmented = (
        Framing(True, 32, 32, augmentation=a).boxes(0, np.arange(N), sizes, sizes)
        for a in ("none", "randaugment")
    )
    assert all((a == b).all() for a, b in zip(plain, augmented, strict=True))
    crop, more = (
        uniforms(0, 0, np.arange(N), CROP_DRAWS),
        uniforms(0, 0, np.arange(N), DRAWS, skip=CROP_DRAWS),
    )
    assert (uniforms(0, 0, np.arange(N), CROP_DRAWS + DRAWS) == np.hstack([crop, more])).all()
    assert abs(np.corrcoef(crop[:, :5].T, more.T)[:5, 5:]).max() < 0.03


def test_val_images_are_not_augmented():
    for framing in (Framing(False, 32, 32, augmentation="autoaugment"), Framing(True, 32, 32)):
        assert framing.operations(0, np.arange(9)) == [[]] * 9
    assert operations("none", np.zeros((3, DRAWS))) == [[]] * 3


def test_names():
    with pytest.raises(
        InputError,
        match=r"unknown augmentation 'autoaug' \(choose from none, autoaugment, autoaugment-v0, ",
    ):
        Framing(True, 32, 32, augmentation="autoaug")
    assert set(RECIPES_KNOW) <= set(AUGMENTATIONS)
