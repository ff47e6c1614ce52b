"""Parts of networks: conv, norm and activation, squeeze-and-excitation, stem and head."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from fastscale.archs import Arch
from fastscale.archs.layers import Layer

# ReLU works in place: its gradient needs only the output
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "silu": nn.SiLU,
}


class SameConv2d(nn.Conv2d):
    """A conv with TensorFlow's padding: what the input size needs, an odd pixel at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride))."""
        pads: list[int] = []
        for size, kernel, stride in zip(
            (x.shape[3], x.shape[2]), self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max(kernel - 1 - (size - 1) % stride, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, pads))


@dataclass(frozen=True)
class Style:
    """What all layers of a network have in common. The defaults are the paper's."""

    activation_name: str
    norm_eps: float = 1e-5
    padding: str = "even"

    @classmethod
    def of(cls, arch: Arch) -> "Style":
        """The style of an arch; its activation is used in SE too."""
        return cls(arch.activation, arch.norm_eps, arch.padding)

    def conv(self, layer: Layer) -> nn.Conv2d:
        """The conv of a layer; with stride 1 its output is as large as its input."""
        same = self.padding == "same" and layer.stride > 1
        kind, padding = (SameConv2d, 0) if same else (nn.Conv2d, (layer.kernel - 1) // 2)
        return kind(
            layer.w_in,
            layer.w_out,
            layer.kernel,
            layer.stride,
            padding,
            groups=layer.groups,
            bias=layer.bias,
        )

    def norm(self, width: int) -> nn.BatchNorm2d:
        """Batch norm with the recipe's momentum of 0.1."""
        return nn.BatchNorm2d(width, eps=self.norm_eps, momentum=0.1)

    def activation(self) -> nn.Module:
        """A new activation module."""
        return ACTIVATIONS[self.activation_name]()


class PooledConv(nn.Conv2d):
    """A 1x1 conv on pooled features, computed as a matrix product.

    Weights, names and counts are those of a conv. fvcore sees a linear layer, with the same counts.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) -> (N, C', 1, 1)."""
        return nn.functional.linear(x.flatten(1), self.weight.flatten(1), self.bias)[
            :, :, None, None
        ]


def pooled_conv(layer: Layer) -> PooledConv:
    """The 1x1 conv of a layer with a 1x1 input."""
    return PooledConv(layer.w_in, layer.w_out, 1, bias=layer.bias)


class SqueezeExcite(nn.Module):
    """Channel gates from pooled features: pool, 1x1 conv, activation, 1x1 conv, sigmoid."""

    def __init__(self, reduce: Layer, expand: Layer, style: Style):
        super().__init__()
        self.reduce = pooled_conv(reduce)
        self.act = style.activation()
        self.expand = pooled_conv(expand)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, each channel times its gate."""
        return x * self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Stem(nn.Module):
    """conv, norm, activation, and ResNet's max pool."""

    def __init__(self, layers: dict[str, Layer], style: Style):
        super().__init__()
        self.conv = style.conv(layers["conv"])
        self.norm = style.norm(layers["conv"].w_out)
        self.act = style.activation()
        self.pool = nn.MaxPool2d(3, 2, 1) if "pool" in layers else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, R, R) -> (N, C, R', R')."""
        return self.pool(self.act(self.norm(self.conv(x))))


class Head(nn.Module):
    """[1x1 conv, norm, activation], global average pooling, linear classifier."""

    def __init__(self, layers: dict[str, Layer], style: Style):
        super().__init__()
        self.has_conv = "conv" in layers
        if self.has_conv:
            self.conv = style.conv(layers["conv"])
            self.norm = style.norm(layers["conv"].w_out)
            self.act = style.activation()
        self.fc = nn.Linear(layers["fc"].w_in, layers["fc"].w_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, num_classes)."""
        if self.has_conv:
            x = self.act(self.norm(self.conv(x)))
        return self.fc(x.mean((2, 3)))


def initialise(module: nn.Module) -> None:
    """Convs normal, std sqrt(2 / fan_out); linear layers normal, std .01; biases 0; norms 1, 0."""
    if any(p.is_meta for p in module.parameters()):
        return  # there is nothing to fill, yet torch would import its compiler, which takes seconds
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
            nn.init.normal_(m.weight, 0.0, (2.0 / fan_out) ** 0.5)
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0.0, 0.01)
        if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
            nn.init.zeros_(m.bias)
