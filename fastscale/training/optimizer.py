"""SGD with Nesterov momentum, weight decay by family and never on batch norm."""

from typing import Any

import torch
from torch import nn

from fastscale.archs import Arch
from fastscale.training.recipe import Recipe


def weight_decay(recipe: Recipe, arch: Arch) -> float:
    """The recipe's own, or the network's: 1e-5 for EfficientNets and 2e-5 for the others."""
    return arch.weight_decay if recipe.weight_decay is None else recipe.weight_decay


def parameter_groups(net: nn.Module, recipe: Recipe, decay: float) -> list[dict[str, Any]]:
    """Two groups, batch-norm parameters without decay; where the body has its own learning rate, or
    is frozen, the last layer's group before them. A frozen body is in none."""
    last: list[nn.Parameter] = []
    if recipe.body_lr != 1 or recipe.freeze == "body":
        last = list(net.head.fc.parameters())  # type: ignore[union-attr, operator]
    apart = {id(p) for p in last}
    norms = [
        p
        for m in net.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm)
        for p in m.parameters(recurse=False)
    ]
    apart |= {id(p) for p in norms}
    others = [p for p in net.parameters() if id(p) not in apart]
    groups: list[dict[str, Any]] = []
    if last:
        groups = [{"params": last, "weight_decay": decay, "lr": recipe.first_lr}]
    if recipe.freeze == "none":
        rate = recipe.first_lr * recipe.body_lr
        groups += [
            {"params": others, "weight_decay": decay, "lr": rate},
            {"params": norms, "weight_decay": 0.0, "lr": rate},
        ]
    return groups


def sgd(net: nn.Module, recipe: Recipe, decay: float) -> torch.optim.SGD:
    """SGD over `parameter_groups`; fused where every parameter is on a GPU, foreach elsewhere."""
    groups = parameter_groups(net, recipe, decay)
    on_gpu = all(p.is_cuda for group in groups for p in group["params"])
    optimizer = torch.optim.SGD(
        groups,
        lr=recipe.first_lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=True if on_gpu else None,
        foreach=None if on_gpu else True,
    )
    if on_gpu:
        start_momentum(optimizer)
    return optimizer


def start_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Momentum that has not begun yet begins at 0, which makes the same first step as none.

    Fused SGD needs it: where float16's scaler passes over its first step, it takes what lay in the
    memory of the buffers for momentum in the second. A captured step needs it too: its buffers may
    not be made while it is recorded.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            state = optimizer.state[parameter]
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)
