"""Learning rate over training: exponential or cosine with linear warm-up."""

import math

from fastscale.training.recipe import Recipe


def lr_multiplier(recipe: Recipe, epoch: float) -> float:
    """Learning rate relative to `recipe.first_lr` at `epoch`, a fraction if it is set every step.

    Exponential: lr_end^(t/T). Cosine: from 1 to lr_end. Both are multiplied by the warm-up, which
    rises linearly from `warmup_start` to 1.
    """
    t = min(epoch / recipe.epochs, 1.0)
    cosine = recipe.lr_end + (1 - recipe.lr_end) * (1 + math.cos(math.pi * t)) / 2
    rate = recipe.lr_end**t if recipe.schedule == "exponential" else cosine
    if epoch < recipe.warmup_epochs:
        done = epoch / recipe.warmup_epochs
        rate *= recipe.warmup_start * (1 - done) + done
    return rate
