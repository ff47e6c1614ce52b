"""Bases match the paper; errors about bad definitions say what would be right."""

from dataclasses import FrozenInstanceError, replace

import pytest

import fastscale as fs
from fastscale.archs.compatibility import compatible


def test_the_papers_bases_have_the_papers_stages():
    y4, y500 = fs.arch("regnety-4gf"), fs.arch("regnety-500mf")
    assert (y500.depths, y500.widths) == ((1, 4, 9, 3), (32, 88, 248, 688))
    assert y500.group_widths == (4,) * 4
    assert (sum(y4.depths), set(y4.group_widths)) == (26, {32})
    assert (y4.resolution, y4.test_resolution) == (240, 272)
    for name, depth, resolution in (("regnetz-500mf", 21, 224), ("regnetz-4gf", 28, 256)):
        z = fs.arch(name)
        assert (sum(z.depths), z.resolution) == (depth, resolution)
        assert (z.head_width, set(z.bottleneck_ratios)) == (1000, {4.0})


def test_every_family_is_named():
    names = fs.list_archs()
    assert len([n for n in names if n.endswith(".dds")]) == 24
    assert {f"efficientnet-b{i}" for i in range(8)} <= set(names)
    assert {f"{family}-{d}" for family in ("resnet", "resnext") for d in (50, 101, 152)} <= set(
        names
    )
    assert {"regnetx-tiny", "regnety-tiny", "regnetz-tiny", "efficientnet-tiny"} <= set(names)
    assert all(fs.arch(n).name == n for n in names)


def test_lite_is_efficientnet_without_se_and_with_fixed_ends():
    for i, (resolution, params) in enumerate(
        ((224, 4.65e6), (240, 5.42e6), (260, 6.09e6), (280, 8.20e6), (300, 13.01e6))
    ):
        lite, b = fs.arch(f"efficientnet-lite{i}"), fs.arch(f"efficientnet-b{i}")
        assert (lite.stem_width, lite.head_width) == (32, 1280)
        assert (lite.depths[0], lite.depths[-1]) == (1, 1)
        assert (lite.widths, lite.depths[1:-1], lite.se_ratio) == (b.widths, b.depths[1:-1], 0)
        assert (lite.resolution, lite.activation) == (resolution, "relu6")
        assert (lite.norm_eps, lite.padding) == (1e-3, "same")
        assert fs.complexity(lite).params == pytest.approx(params, rel=1e-3)


def test_timms_regnetz_differ_from_the_papers_in_their_heads_only():
    for name, timm, head in (("500mf", "500mf", 1024), ("4gf", "4gf-h", 1536)):
        ours, timm = fs.arch(f"regnetz-{name}"), fs.arch(f"regnetz-{timm}.timm")
        assert replace(ours, name=timm.name, head_width=head) == timm


def test_archs_are_frozen_values():
    arch = fs.arch("regnety-4gf")
    same = fs.arch("regnety-4gf")
    assert arch == same and hash(arch) == hash(same) and fs.arch(arch) is arch
    with pytest.raises(FrozenInstanceError):
        arch.resolution = 100


def test_an_unknown_name_gets_similar_names():
    with pytest.raises(
        ValueError,
        match=r"no network is named 'regnety-4g'; did you mean 'regnety-4gf', .*`fastscale list`",
    ):
        fs.arch("regnety-4g")
    with pytest.raises(ValueError, match="name or an arch"):
        fs.arch(4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"group_widths": (4, 4, 4, 5)}, "group width 5 does not divide the bottleneck width 688"),
        ({"depths": (1, 4, 9)}, "one value a stage"),
        ({"depths": (1, 4, 0, 3)}, "positive"),
        ({"widths": (32, 88, 248, 688.5)}, "whole|divide"),
        ({"bottleneck_ratios": (1.0, 1.0, 1.0, float("nan"))}, "finite"),
        ({"resolution": 31}, "give a whole number >= 32"),
        ({"test_resolution": 200}, ">= 224"),
        ({"block": "transformer"}, "use one of bottleneck, inverted"),
    ],
)
def test_bad_definitions_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        replace(fs.arch("regnety-500mf"), **change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"activation": "gelu"}, "use one of silu, relu6"),
        ({"padding": "valid"}, "use one of even, same"),
        ({"norm_eps": 0.0}, "above 0"),
    ],
)
def test_bad_efficientnets_are_refused(change, text):
    with pytest.raises(ValueError, match=text):
        replace(fs.arch("efficientnet-b0"), **change)


def test_compatibility_keeps_group_widths_dividing():
    for w in range(8, 600, 8):
        for b in (0.25, 1.0, 4.0):
            for g in (1, 2, 4, 8, 24, 64):
                width, group = compatible(w, b, g)
                assert round(width * b) % group == 0 and width * b == round(width * b)


def test_regnet_parameters_are_checked():
    with pytest.raises(ValueError, match="wm > 1"):
        fs.RegNet(13, 24, 36.4, 1.0, 8)
