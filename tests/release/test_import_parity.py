"""Imported weights give the original implementation's outputs on random images.

They agree within 1e-5; outputs are 1 to 15.

All of parity.CASES: .venv/bin/python scripts/compare_import.py
"""

import pytest
import torch

from fastscale.release.importing import import_tensors
from tests.parity import CASES, difference, norms_differ, other, randomise, theirs
from tests.release.pycls_like import pycls_like

TESTED = (
    *(
        "regnetx_002",
        "regnety_008",
        "regnetz_005",
        "tf_efficientnet_lite0",
        "tf_efficientnet_lite2",
        "resnext50_32x4d",
    ),
    *("regnet_x_800mf", "regnet_y_400mf", "efficientnet_b0"),
)


def images(side=64, count=2):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(
    ("project", "name", "ours", "side"),
    [
        *(
            (p, n, o, 64)
            for p, n, o in CASES
            if n in TESTED and (p, n) != ("torchvision", "resnext50_32x4d")
        ),
        ("timm", "tf_efficientnet_lite1", "efficientnet-lite1", 75),
        ("torchvision", "resnet50", "resnet-50", 64),
        # its batch norms have eps 1e-3
        ("torchvision", "efficientnet_b5", "efficientnet-b5", 128),
    ],
)
def test_outputs_equal_the_originals(project, name, ours, side):
    net, x = theirs(project, name), images(side, 4 if side == 128 else 2)
    randomise(net, x)
    imported = import_tensors(net.state_dict(), project, their_name=name)
    assert norms_differ(net, project, imported) <= 1e-6
    worst, scale = difference(net, ours, x, imported)
    assert worst <= 1e-5 and 0.3 < scale < 30


class Turned(torch.nn.Module):
    """RGB to BGR."""

    def forward(self, x):
        return x.flip(1)


@pytest.mark.parametrize(
    "name",
    ["regnetx-200mf.dds", "regnety-400mf.dds", "regnetz-500mf", "resnet-50", "efficientnet-b0"],
)
def test_pycls_networks_see_bgr_and_ours_rgb(name):
    net, rgb = pycls_like(name), images()
    randomise(net, rgb.flip(1))
    imported = import_tensors(net.state_dict(), "pycls")
    assert difference(torch.nn.Sequential(Turned(), net), name, rgb, imported)[0] <= 1e-5
    assert difference(net, name, rgb, imported)[0] > 1e-2  # the order matters


def test_torchvisions_own_regnet_is_refused():
    tensors = theirs("torchvision", "regnet_x_400mf").state_dict()
    misfit = r".*block4-0.proj.0.weight is \(400, 160, 1, 1\), wanted \(384,"
    with pytest.raises(ValueError, match=f"nearest is regnetx-400mf.dds: {misfit}"):
        import_tensors(tensors, "torchvision")


def test_timms_other_regnetz_is_refused():
    with torch.device("meta"):
        tensors = other("timm").create_model("regnetz_040").state_dict()
    with pytest.raises(ValueError, match="nearest is regnetz-4gf.*missing"):
        import_tensors(tensors, "timm")
