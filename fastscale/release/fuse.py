"""Folds batch norms into the convs before them: the same outputs, fewer layers, inference only."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fastscale.errors import InputError

# the names of a conv and the norm after it, in a network's modules
PAIRS = (
    ("conv", "norm"),
    ("conv1", "norm1"),
    ("conv2", "norm2"),
    ("conv3", "norm3"),
    ("proj", "proj_norm"),
)


def fuse(net: nn.Module) -> nn.Module:
    """A copy of `net` in eval mode with its batch norms folded; outputs are equal up to rounding.

    y = gamma (W x - mean) / sqrt(var + eps) + beta is a conv with weights W gamma / sqrt(var + eps)
    and a bias. The copy has no norms, so do not train it. InputError if there is nothing to fold.
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
            f"{type(net).__name__}: no batch norm to fold; "
            "is it folded already, or not a network of `fastscale.build`?"
        )
    return fused.requires_grad_(False)
