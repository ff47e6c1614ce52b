"""Precise batch norm: statistics anew from training images before each validation, by fvcore, for raw and averaged weights at once.

The running statistics that training leaves lag behind the weights, and averaged ones are no weights' statistics at all.
"""

from collections.abc import Callable, Iterable

from torch import Tensor, nn


class _Together(nn.Module):
    """Runs several networks on the same images, so that these are decoded once."""

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
    """Sets every batch norm's running mean and variance to those of the first `count` of `batches` (N, 3, H, W), normalised.

    `reduce` averages a tensor over all processes. Networks are put back into their modes, and the
    statistics stay where they lie: fvcore puts other tensors in their place, of which a captured
    step would not know.
    """
    from fvcore.nn.precise_bn import get_bn_modules, update_bn_stats

    together = _Together(nets)
    modes = [(module, module.training) for module in together.modules()]
    together.train()
    places = [(norm, norm.running_mean, norm.running_var) for norm in get_bn_modules(together)]
    try:
        update_bn_stats(together, batches, count)
        for norm, mean, var in places:
            norm.running_mean = mean.copy_(reduce(norm.running_mean))
            norm.running_var = var.copy_(reduce(norm.running_var))
    finally:
        for module, mode in modes:
            module.training = mode
