"""SGD with Nesterov momentum; weight decay by family, never on batch norm."""

from typing import Any

import torch
from torch import nn

from fastscale.archs import Arch
from fastscale.training.recipe import Recipe


def weight_decay(recipe: Recipe, arch: Arch) -> float:
    """The recipe's weight decay, else the network's: 1e-5 for EfficientNets, 2e-5 for others."""
    return arch.weight_decay if recipe.weight_decay is None else recipe.weight_decay


def parameter_groups(net: nn.Module, recipe: Recipe, decay: float) -> list[dict[str, Any]]:
    """The optimizer's groups: all weights, and batch-norm parameters, which have no weight decay.

    If the body has a separate learning rate or is frozen, the last layer's group comes first. A
    frozen body is in no group.
    """
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
    """SGD over `parameter_groups`: fused if every parameter is on a GPU, else foreach."""
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
    """Sets momentum that is not there yet to 0, which gives the same first step.

    Fused SGD needs this: if float16's scaler skips the first step, the second would use
    uninitialised memory as momentum. A captured step needs it because buffers may not be made while
    it is recorded.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            state = optimizer.state[parameter]
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)
