"""Batch norm folded into the conv before it: the same outputs from fewer layers, for inference only."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fastscale.errors import InputError

# how the modules of a network name a conv and the norm behind it
PAIRS = (
    ("conv", "norm"),
    ("conv1", "norm1"),
    ("conv2", "norm2"),
    ("conv3", "norm3"),
    ("proj", "proj_norm"),
)


def fuse(net: nn.Module) -> nn.Module:
    """A copy of `net` in eval mode, its batch norms folded into their convs; outputs equal up to rounding. `net` stays as it is.

    y = gamma (W x - mean) / sqrt(var + eps) + beta is a conv with weights W gamma / sqrt(var + eps) and a bias. What comes out cannot be
    trained on: its norms are gone. InputError where there is nothing to fold.
    """
    fused = copy.deepcopy(net).eval()
    found = 0
    with torch.no_grad():
        for module in fused.modules():
            for conv, norm in PAIRS:
                old, bn = getattr(module, conv, None), getattr(module, norm, None)
                if isinstance(old, nn.Conv2d) and isinstance(bn, nn.BatchNorm2d):
                    setattr(module, conv, fuse_conv_bn_eval(old, bn))
                    setattr(module, norm, nn.Identity())
                    found += 1
    if not found:
        raise InputError(
            f"{type(net).__name__}: no batch norm to fold; is it folded already, or no network of `fastscale.build`?"
        )
    return fused.requires_grad_(False)
