"""Pieces that the blocks share: conv and norm with the authors' settings, squeeze-and-excitation, stem, head."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fastscale.counts import Layer

Activation = Callable[[], nn.Module]
# ReLU works in place: its gradient needs only its output
ACTIVATIONS: dict[str, Activation] = {"relu": lambda: nn.ReLU(inplace=True), "silu": nn.SiLU}


def conv(layer: Layer) -> nn.Conv2d:
    """The conv that the counter counted: same padding for odd kernels, bias only where it said so."""
    return nn.Conv2d(layer.w_in, layer.w_out, layer.kernel, layer.stride, (layer.kernel - 1) // 2, groups=layer.groups, bias=layer.bias)


def norm(width: int) -> nn.BatchNorm2d:
    """Batch norm with the recipe's eps 1e-5 and momentum .1."""
    return nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)


class PooledConv(nn.Conv2d):
    """A 1x1 conv on pooled features, computed as the matrix product that it is there; weights and names are a conv's.

    The counts are a conv's too; fvcore sees a linear layer, which it counts the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) -> (N, C', 1, 1)."""
        return nn.functional.linear(x.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]


def pooled_conv(layer: Layer) -> PooledConv:
    """The 1x1 conv that the counter counted, of a 1x1 map."""
    return PooledConv(layer.w_in, layer.w_out, 1, bias=layer.bias)


class SqueezeExcite(nn.Module):
    """Channel gates from pooled features: pool, 1x1 conv, activation, 1x1 conv, sigmoid."""

    def __init__(self, reduce: Layer, expand: Layer, activation: Activation):
        super().__init__()
        self.reduce, self.act, self.expand = pooled_conv(reduce), activation(), pooled_conv(expand)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, each channel times its gate."""
        return x * self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Stem(nn.Module):
    """conv, norm, activation, and ResNet's max pool."""

    def __init__(self, layers: dict[str, Layer], activation: Activation):
        super().__init__()
        self.conv, self.norm, self.act = conv(layers["conv"]), norm(layers["conv"].w_out), activation()
        self.pool = nn.MaxPool2d(3, 2, 1) if "pool" in layers else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, R, R) -> (N, C, R', R')."""
        return self.pool(self.act(self.norm(self.conv(x))))


class Head(nn.Module):
    """[1x1 conv, norm, activation], global average pooling, linear classifier."""

    def __init__(self, layers: dict[str, Layer], activation: Activation):
        super().__init__()
        self.has_conv = "conv" in layers
        if self.has_conv:
            self.conv, self.norm, self.act = conv(layers["conv"]), norm(layers["conv"].w_out), activation()
        self.fc = nn.Linear(layers["fc"].w_in, layers["fc"].w_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, num_classes)."""
        if self.has_conv:
            x = self.act(self.norm(self.conv(x)))
        return self.fc(x.mean((2, 3)))


def initialise(module: nn.Module) -> None:
    """Convs normal with std sqrt(2 / fan_out), linear layers std .01, biases 0, norms 1 and 0."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
            nn.init.normal_(m.weight, 0.0, (2.0 / fan_out) ** 0.5)
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.01)
        if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
            torch.nn.init.zeros_(m.bias)
