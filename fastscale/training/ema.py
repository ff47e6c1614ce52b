"""Averaged (EMA) weights: the authors' moving average of parameters and buffers, every 32 steps."""

import torch
from torch import nn

from fastscale.training.recipe import Recipe


def ema_weight(recipe: Recipe, epoch: int) -> float:
    """Share of the raw weights in an update: min(1, rate * batch / epochs * every).

    During warm-up it is 1: a copy.
    """
    if epoch < recipe.warmup_epochs:
        return 1.0
    return min(1.0, recipe.ema_rate * recipe.batch_size / recipe.epochs * recipe.ema_every)


@torch.no_grad()
def update_ema(averaged: nn.Module, raw: nn.Module, weight: float) -> None:
    """averaged += weight * (raw - averaged), for floating-point parameters and buffers.

    Counters are copied.
    """
    targets = list(averaged.state_dict(keep_vars=True).values())
    sources = list(raw.state_dict(keep_vars=True).values())
    floating = [i for i, t in enumerate(targets) if t.is_floating_point()]
    torch._foreach_lerp_([targets[i] for i in floating], [sources[i] for i in floating], weight)
    for target, source in zip(targets, sources, strict=True):
        if not target.is_floating_point():
            target.copy_(source)
