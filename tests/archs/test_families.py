"""Families differ by the attributes of their archs, not by their names."""

from dataclasses import replace

import pytest

import fastscale as fs
from fastscale.archs import base_names

FAMILIES = {
    "regnetx": "RegNetX",
    "regnety": "RegNetY",
    "regnetz": "RegNetZ",
    "efficientnet": "EfficientNet",
    "resnet": "ResNet",
    "resnext": "ResNeXt",
}


@pytest.mark.parametrize("name", base_names())
def test_the_family_is_that_of_the_name_and_stays_when_scaled(name):
    arch = fs.arch(name)
    if name.split("-")[0] in FAMILIES:  # another test may have registered a base
        assert arch.family == FAMILIES[name.split("-")[0]]
    assert fs.scale(arch, "dwgr", 2).family == arch.family
    assert replace(arch, name="mine").family == arch.family


def test_attributes_that_other_rooms_use():
    facts = {
        name: (a.grouped, a.activation, a.weight_decay, a.block)
        for name in ("regnety-4gf", "regnetz-4gf", "resnet-50", "efficientnet-b0")
        for a in [fs.arch(name)]
    }
    assert facts == {
        "regnety-4gf": (True, "relu", 2e-5, "bottleneck"),
        "regnetz-4gf": (True, "silu", 2e-5, "inverted"),
        "resnet-50": (False, "relu", 2e-5, "bottleneck"),
        "efficientnet-b0": (False, "silu", 1e-5, "inverted"),
    }
    assert fs.arch("efficientnet-lite0").norm_eps == 1e-3
    assert fs.arch("regnety-4gf").norm_eps == 1e-5


def test_layers_are_those_of_the_counts():
    for name in ("regnetz-500mf", "resnet-50", "efficientnet-b1"):
        arch = fs.arch(name)
        layers = arch.layers(arch.resolution, 10)
        assert sum(layer.flops for layer in layers) == fs.complexity(arch, num_classes=10).flops
        assert len({layer.name for layer in layers}) == len(layers)
