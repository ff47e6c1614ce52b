"""Learning rate over training: exponential or cosine with linear warm-up."""

import math

from fastscale.training.recipe import Recipe


def lr_multiplier(recipe: Recipe, epoch: float) -> float:
    """Learning rate relative to `recipe.first_lr` at `epoch` (fractional where the rate is set every step).

    Exponential: lr_end^(t/T); cosine: from 1 to lr_end; times the warm-up, linear from `warmup_start`.
    """
    t = min(epoch / recipe.epochs, 1.0)
    exponential, cosine = (
        recipe.lr_end**t,
        recipe.lr_end + (1 - recipe.lr_end) * (1 + math.cos(math.pi * t)) / 2,
    )
    rate = exponential if recipe.schedule == "exponential" else cosine
    if epoch < recipe.warmup_epochs:
        done = epoch / recipe.warmup_epochs
        rate *= recipe.warmup_start * (1 - done) + done
    return rate
