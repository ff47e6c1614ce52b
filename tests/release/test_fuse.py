"""Folding batch norm keeps the outputs, in any family and for any statistics."""

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
def test_outputs_are_unchanged(name, images):
    net = fs.build(name, 10)
    randomise(net, images)
    net.double()  # leaves folding's error, not rounding, which a random network amplifies
    fused = fuse(net)
    with torch.no_grad():
        expected, got = net(images.double()), fused(images.double())
    assert (expected[0] - expected[1]).abs().max() > 0.05
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert not fused.training and fused.arch == net.arch


def test_the_original_network_is_unchanged(images):
    net = fs.build("regnety-tiny", 10)
    randomise(net, images)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.train()
    fuse(net)
    assert net.training and all(p.requires_grad for p in net.parameters())
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_nothing_to_fold_is_an_error():
    fused = fuse(fs.build("regnetx-tiny", 10))
    with pytest.raises(ValueError, match="no batch norm to fold; is it folded already"):
        fuse(fused)
