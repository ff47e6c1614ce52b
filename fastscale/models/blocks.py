"""The blocks: X/Y bottleneck and Z inverted bottleneck (paper, Fig. 3), and EfficientNet's MBConv.

All are 1x1, kxk, [SE], 1x1.
"""

from collections.abc import Callable

from torch import Tensor, nn

from fastscale.archs.layers import Layer
from fastscale.errors import InputError
from fastscale.models.layers import SqueezeExcite, Style


def drop_mask(branch: Tensor, rate: float) -> Tensor:
    """(N, 1, 1, 1): 0 with probability `rate`, else 1 / (1 - rate), for an expectation of 1."""
    return branch.new_empty(len(branch), 1, 1, 1).bernoulli_(1 - rate).div_(1 - rate)


class Block(nn.Module):
    """[conv1] conv2 [se] conv3 and a shortcut, made from an arch's layers of one block.

    Bottleneck (X, Y, ResNet): the shortcut is projected where the shape changes, and an activation
    follows the sum. Inverted (Z, MBConv): an identity shortcut where the shape is unchanged, and no
    activation after conv3.
    """

    def __init__(self, layers: dict[str, Layer], inverted: bool, style: Style):
        super().__init__()
        first, middle, last = layers.get("conv1"), layers["conv2"], layers["conv3"]
        w_in = (first or middle).w_in
        if "proj" in layers:
            self.proj, self.proj_norm = style.conv(layers["proj"]), style.norm(layers["proj"].w_out)
        if first:
            self.conv1, self.norm1 = style.conv(first), style.norm(first.w_out)
            self.act1 = style.activation()
        self.conv2, self.norm2 = style.conv(middle), style.norm(middle.w_out)
        self.act2 = style.activation()
        self.se: nn.Module = nn.Identity()
        if "se.reduce" in layers:
            self.se = SqueezeExcite(layers["se.reduce"], layers["se.expand"], style)
        self.conv3, self.norm3 = style.conv(last), style.norm(last.w_out)
        self.act = nn.Identity() if inverted else style.activation()
        self.has_conv1, self.has_proj = first is not None, "proj" in layers
        self.drop_path = 0.0  # rate at which the branch is left out in training, set by the network
        self.has_skip = not inverted or (w_in == last.w_out and middle.stride == 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H', W')."""
        y = self.act1(self.norm1(self.conv1(x))) if self.has_conv1 else x
        y = self.se(self.act2(self.norm2(self.conv2(y))))
        y = self.norm3(self.conv3(y))
        if self.has_skip:
            if self.drop_path and self.training:
                y = y * drop_mask(y, self.drop_path)
            # in place: no backward pass needs y, and its memory is in the cache
            y += self.proj_norm(self.proj(x)) if self.has_proj else x
        return self.act(y)


# makes a block's module from its layers by name; the network sets the module's `drop_path`
BlockBuilder = Callable[[dict[str, Layer], Style], nn.Module]
_builders: dict[str, BlockBuilder] = {
    "bottleneck": lambda layers, style: Block(layers, False, style),
    "inverted": lambda layers, style: Block(layers, True, style),
}


def register_block(name: str, builder: BlockBuilder) -> None:
    """Registers the builder of the blocks that archs call `name`.

    `builder(layers, style)` returns a module with a submodule of each layer's name. InputError if
    another builder has the name.
    """
    if _builders.setdefault(name, builder) is not builder:
        raise InputError(f"block {name!r} is registered already")


def build_block(name: str, layers: dict[str, Layer], style: Style) -> nn.Module:
    """The module of a block; InputError if no builder has that name."""
    if name not in _builders:
        raise InputError(
            f"no module is known for the block {name!r} (known: {', '.join(_builders)}): register "
            "one with fastscale.models.blocks.register_block"
        )
    return _builders[name](layers, style)
