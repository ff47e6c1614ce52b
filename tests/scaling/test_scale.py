"""Scaling: the authors' rounding, names, and the search for a target."""

import pytest

import fastscale as fs
from fastscale.scaling.scale import round_group_width


def test_regnets_keep_stem_and_head_efficientnets_scale_them():
    z, b0 = fs.scale("regnetz-4gf", "dWr", 8), fs.scale("efficientnet-b0", "w", 4)
    assert (z.stem_width, z.head_width, z.resolution, z.test_resolution) == (32, 1000, 284, 324)
    assert (b0.stem_width, b0.head_width, b0.widths, b0.depths) == (
        64,
        2560,
        (32, 48, 80, 160, 224, 384, 640),
        (1, 2, 2, 3, 3, 4, 1),
    )


def test_group_width_is_scaled_only_with_the_letter_g():
    assert set(fs.scale("regnety-4gf", "w", 4).group_widths) == {32}
    assert set(fs.scale("regnety-4gf", "wg", 4).group_widths) == {64}
    assert [round_group_width(g) for g in (0.2, 1.4, 2.4, 2.6, 5.4, 6, 12, 20, 21)] == [
        1,
        1,
        2,
        4,
        4,
        8,
        16,
        16,
        24,
    ]


def test_plain_convs_stay_plain():
    wide = fs.scale("resnet-50", "w", 4)
    assert wide.group_widths == wide.bottleneck_widths == (128, 256, 512, 1024)
    flops = fs.complexity(wide).flops / fs.complexity("resnet-50").flops
    assert 3.7 < flops < 4  # the stem does not scale


def test_factor_one_changes_nothing_but_the_name():
    for name in ("regnety-500mf", "regnetz-4gf", "efficientnet-b0", "resnext-50", "regnetx-tiny"):
        assert fs.complexity(fs.scale(name, "dWr", 1)) == fs.complexity(name)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), "4"])
def test_bad_factors(factor):
    with pytest.raises(ValueError, match="a number from 0.0001 to 100,000"):
        fs.scale("regnety-4gf", "dWr", factor)


def test_scaled_down_below_its_strides():
    with pytest.raises(ValueError, match="too small for the network's total stride"):
        fs.scale("regnety-4gf", "r", 0.001)


def test_names_mean_what_they_say():
    big = fs.scale("regnetz-500mf", "dWr", 1.85)
    assert big.name == "regnetz-500mf.dWr-x1.85" and fs.arch(big.name) == big
    for name in (
        "regnetx-1.6gf.dds.d2_w1_r2-x2.5",
        "regnety-4gf.d1_w4_g4_r1-x4",
        "efficientnet-b0.dWr-x16",
    ):
        assert fs.arch(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "regnety-4gf.dWr",
        "regnety-4gf.dWr-x",
        "regnety-4gf.quick",
        "regnety-4gf.dWr-x4.a.b",
        "regnety-4gf.foo-x2",
        ".dWr-x4",
        "",
    ],
)
def test_unreadable_names(name):
    with pytest.raises(ValueError, match=r"regnety|strategy"):
        fs.arch(name)


@pytest.mark.parametrize(
    ("base", "strategy", "target"),
    [
        ("regnety-4gf", "dWr", {"flops": 16e9}),
        ("efficientnet-b0", "dwr", {"acts": 40e6}),
        ("regnetz-500mf", "w", {"params": 50e6}),
        ("regnety-500mf", "d", {"flops": 4e9}),
        ("regnety-tiny", "dWr", {"flops": 4e6}),
    ],
)
def test_scale_to_meets_its_target(base, strategy, target):
    factor, arch = found = fs.scale_to(base, strategy, **target)
    ((metric, wanted),) = target.items()
    assert arch == fs.scale(base, strategy, factor)
    realised = getattr(found.realised, metric)
    assert realised == getattr(fs.complexity(arch), metric)
    # nothing on a fine independent grid comes nearer than 0.1 %
    others = [
        getattr(fs.complexity(fs.scale(base, strategy, factor * (1 + i / 100))), metric)
        for i in range(-30, 31)
    ]
    assert abs(realised / wanted - 1) <= min(abs(o / wanted - 1) for o in others) + 1e-3


def test_scale_to_prefers_short_factors():
    factor, arch = fs.scale_to(
        "regnety-4gf", "dWr", flops=fs.complexity("regnety-4gf.dWr-x4").flops
    )
    assert factor == 4 and fs.complexity(arch) == fs.complexity("regnety-4gf.dWr-x4")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({}, "exactly one"),
        ({"flops": 1e9, "acts": 1e6}, "exactly one"),
        ({"flops": -1}, "> 0"),
        ({"params": 1e9}, "does not change params"),
        ({"flops": 1e3}, "cannot reach"),
    ],
)
def test_scale_to_refuses(target, text):
    with pytest.raises(ValueError, match=text):
        fs.scale_to("efficientnet-b0", "r", **target)
