"""Counts equal what was published, to the last digit, and cost nothing to compute."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

import fastscale as fs
from fastscale.references.networks import PAPER_BASES, zoo_name

REFERENCE = Path(__file__).parents[2] / "paper_figures" / "reference"


def rows(name):
    with open(REFERENCE / name, newline="") as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("row", rows("pycls_zoo.csv"), ids=lambda r: r["model"])
def test_zoo_counts_are_exact(row):
    arch = fs.arch(zoo_name(row["model"]))
    cx = fs.complexity(arch)
    assert (cx.flops, cx.params, cx.acts) == tuple(int(row[k]) for k in ("flops", "params", "acts"))
    assert (arch.resolution, arch.test_resolution) == (
        int(row["train_resolution"]),
        int(row["test_resize"]),
    )


# Xiao et al. 2021, Table 2 and MViT Table 17: (network, flops B, params M, acts M, resolution)
PUBLISHED = [
    ("regnety-500mf.dWr-x2", 1.0, 9.6, 6.2, 232),
    ("regnety-4gf", 4.1, 22.4, 14.5, 240),
    ("regnety-4gf.dWr-x4", 15.5, 72.3, 30.7, 256),
    ("regnety-4gf.dWr-x8", 31.1, 128.6, 46.2, 268),
    ("regnetz-500mf.dWr-x1.85", 1.0, 11.0, 8.8, 232),
    ("regnetz-4gf", 4.0, 28.1, 24.3, 256),
    ("regnetz-4gf.dWr-x3.88", 15.9, 95.3, 51.3, 272),
    ("regnetz-4gf.dWr-x8.5", 32.0, 175.1, 79.6, 284),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda r: r[0])
def test_published_scaled_networks(row):
    name, flops, params, acts, resolution = row
    cx = fs.complexity(name)
    printed = tuple(float(f"{v:.1f}") for v in (cx.flops / 1e9, cx.params / 1e6, cx.acts / 1e6))
    # regnetz-4gf has 4.0497 B flops, which .1f rounds to 4.0
    assert (*printed, fs.arch(name).resolution) == (flops, params, acts, resolution)


def test_digitised_points_have_our_params_and_acts():
    """92 scaled networks of Figs. 2, 4 and 6: params and acts to the printed digit.

    Flops were read off the plots: they are within 0.5 %.
    """
    points = [
        r
        for r in rows("paper_points.csv")
        if "counts computed" in r["how"] and r["strategy"] not in ("none", "orig")
    ]
    assert len(points) == 92
    for r in points:
        cx = fs.complexity(
            fs.scale(PAPER_BASES[r["base"]], r["strategy"], float(r["target"].removeprefix("s=")))
        )
        for ours, printed in ((cx.params / 1e6, r["params_m"]), (cx.acts / 1e6, r["acts_m"])):
            assert abs(ours - float(printed)) < (
                0.6e-3 if len(printed.partition(".")[2]) > 2 else 0.6e-2
            ), r
        assert cx.flops / 1e9 == pytest.approx(float(r["flops_b"]), rel=5e-3), r


def test_classes_and_resolution():
    cx = fs.complexity("resnet-50")
    small = fs.complexity("resnet-50", resolution=160, num_classes=10)
    assert fs.complexity("resnet-50", num_classes=10).params == cx.params - 990 * 2049
    assert small.params == cx.params - 990 * 2049 and small.acts < cx.acts / 1.9
    assert fs.complexity("resnet-50", num_classes=10).acts == cx.acts - 990


@pytest.mark.parametrize(
    "bad", [{"resolution": 31}, {"resolution": 0}, {"resolution": 224.5}, {"num_classes": 0}]
)
def test_impossible_inputs(bad):
    with pytest.raises(ValueError, match=r">= (32|1)"):
        fs.complexity("resnet-50", **bad)


def test_layers_add_up_to_the_complexity():
    for name in ("regnetz-500mf", "efficientnet-b3", "resnext-101", "regnety-tiny.dWr-x4"):
        found, cx = fs.arch(name).layers(), fs.complexity(name)
        assert (
            sum(x.flops for x in found),
            sum(x.params for x in found),
            sum(x.acts for x in found),
        ) == (cx.flops, cx.params, cx.acts)
        assert len({x.name for x in found}) == len(found)


def test_counting_needs_no_torch():
    code = """
import sys
import fastscale as fs
fs.complexity("regnetz-4gf.dWr-x4")
print("torch" in sys.modules, "numpy" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False False"
