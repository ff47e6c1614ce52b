"""Precise batch norm: recomputes statistics from training images before each validation (fvcore).

The running statistics of training lag behind the weights, and averaged statistics fit no weights.
Raw and averaged (EMA) weights are done together.
"""

from collections.abc import Callable, Iterable

from torch import Tensor, nn


class _Together(nn.Module):
    """Runs several networks on the same images, so that each image is decoded once."""

    def __init__(self, nets: Iterable[nn.Module]):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, images: Tensor) -> None:
        for net in self.nets:
            net(images)


def recompute_statistics(
    nets: Iterable[nn.Module],
    batches: Iterable[Tensor],
    count: int,
    reduce: Callable[[Tensor], Tensor],
) -> None:
    """Sets every batch norm's running mean and variance to those of the first `count` batches.

    `batches`: (N, 3, H, W), normalised. `reduce` averages a tensor over all processes. Networks
    return to their modes.
    """
    from fvcore.nn.precise_bn import get_bn_modules, update_bn_stats

    together = _Together(nets)
    modes = [(module, module.training) for module in together.modules()]
    together.train()
    places = [(norm, norm.running_mean, norm.running_var) for norm in get_bn_modules(together)]
    try:
        update_bn_stats(together, batches, count)
        # fvcore puts new tensors there; a captured step needs the values at their old addresses
        for norm, mean, var in places:
            norm.running_mean = mean.copy_(reduce(norm.running_mean))
            norm.running_var = var.copy_(reduce(norm.running_var))
    finally:
        for module, mode in modes:
            module.training = mode
