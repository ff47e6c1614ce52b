"""Mixup and cutmix: pairs of images are blended, or pasted into each other.

Their shares are drawn from Beta(alpha, alpha). The paper uses mixup; cutmix is an addition.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from fastscale.training.recipe import Recipe


@dataclass(frozen=True)
class Mix:
    """How a batch is mixed: `share` of the first image, and the pasted box, if any.

    `box`: top, bottom, left, right as parts of the side.
    """

    share: float = 1.0
    box: tuple[float, float, float, float] | None = None


def draw_mix(recipe: Recipe, seed: int, step: int) -> Mix:
    """The mix of a training step, drawn on the host so that no step waits for the device.

    It depends on seed and step only, so a resumed run draws what it would have drawn.
    """
    cut = recipe.cutmix > 0 and (recipe.mixup == 0 or step % 2 == 1)
    alpha = recipe.cutmix if cut else recipe.mixup
    if alpha == 0:
        return Mix()
    random = np.random.default_rng((seed, step))
    share = float(random.beta(alpha, alpha))
    if not cut:
        return Mix(share)
    half = (1 - share) ** 0.5 / 2
    y, x = random.random(2)
    top, bottom, left, right = (
        float(np.clip(v, 0, 1)) for v in (y - half, y + half, x - half, x + half)
    )
    return Mix(share, (top, bottom, left, right))


def apply_mix(images: Tensor, mix: Mix) -> tuple[Tensor, float]:
    """(N, C, H, W) mixed with the batch in reverse order, and the share of the first image.

    The share is that after rounding the box to pixels. Batches are shuffled, so pairs are random.
    """
    if mix.box is None:
        mixed = images if mix.share == 1.0 else images.lerp(images.flip(0), 1 - mix.share)
        return mixed, mix.share
    h, w = images.shape[-2:]
    top, bottom, left, right = (
        round(v * side) for v, side in zip(mix.box, (h, h, w, w), strict=True)
    )
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images.flip(0)[:, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (h * w)


def mixed_loss(
    criterion: nn.Module,
    logits: Tensor,
    labels: Tensor,
    share: float | Tensor,
    rest: float | Tensor | None = None,
) -> Tensor:
    """The loss against both labels of each pair, weighted by their shares.

    `rest`: the share of the second label, as a tensor; a captured step needs both as tensors.
    """
    loss = criterion(logits, labels)
    if rest is None:
        if share == 1.0:
            return loss
        rest = 1 - share
    return share * loss + rest * criterion(logits, labels.flip(0))
