"""Folding batch norm changes no output, in any family, whatever its statistics are."""

import pytest
import torch
from torch import nn

import fastscale as fs
from fastscale.release.fuse import fuse
from tests.parity import randomise

NETWORKS = [
    "regnetx-tiny",
    "regnety-tiny",
    "regnetz-tiny",
    "efficientnet-tiny",
    "efficientnet-lite0",
    "resnet-50",
]


@pytest.fixture
def images():
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_stay(name, images):
    net = fs.build(name, 10)
    randomise(net, images)
    net.double()  # what remains is folding's own error, not rounding that a random network makes large
    fused = fuse(net)
    with torch.no_grad():
        expected, got = net(images.double()), fused(images.double())
    assert (expected[0] - expected[1]).abs().max() > 0.05
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert not fused.training and fused.arch == net.arch


def test_the_network_itself_stays(images):
    net = fs.build("regnety-tiny", 10)
    randomise(net, images)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.train()
    fuse(net)
    assert net.training and all(p.requires_grad for p in net.parameters())
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_nothing_to_fold_is_said():
    fused = fuse(fs.build("regnetx-tiny", 10))
    with pytest.raises(ValueError, match="no batch norm to fold; is it folded already"):
        fuse(fused)
