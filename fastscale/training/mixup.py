"""Mixup: pairs of images and labels blended by a Beta(alpha, alpha) share (paper.md section 6)."""

import numpy as np
from torch import Tensor, nn


def mixup_share(alpha: float, seed: int, step: int) -> float:
    """The share of the first image at a training step, from Beta(alpha, alpha): on the host, so that no step waits for the device.

    It depends on seed and step alone, so that a resumed run goes on with the shares that it would have had.
    """
    return float(np.random.default_rng((seed, step)).beta(alpha, alpha)) if alpha > 0 else 1.0


def mix(images: Tensor, share: float) -> Tensor:
    """(N, C, H, W) blended with the batch in reverse order; batches are shuffled, so the pairs are random."""
    return images if share == 1.0 else images.lerp(images.flip(0), 1 - share)


def mixed_loss(criterion: nn.Module, logits: Tensor, labels: Tensor, share: float) -> Tensor:
    """The loss against both labels of each pair, in their shares."""
    loss = criterion(logits, labels)
    return loss if share == 1.0 else share * loss + (1 - share) * criterion(logits, labels.flip(0))
