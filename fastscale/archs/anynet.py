"""AnyNet: a stem, stages of equal bottleneck blocks, and a head (paper, Fig. 3).

RegNetX/Y/Z, ResNet and ResNeXt are AnyNets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from fastscale.archs.arch import Arch, se_layers
from fastscale.archs.check import (
    MOST_TEST_RESOLUTION,
    check_choice,
    check_resolution,
    check_size,
    check_stages,
    check_whole,
)
from fastscale.archs.compatibility import bottleneck_width, compatible_stages
from fastscale.archs.layers import Layer, conv, out_size

BLOCKS = ("bottleneck", "inverted")
STEMS = ("conv3x3", "conv7x7-maxpool")
ACTIVATIONS = ("relu", "silu")


@dataclass(frozen=True)
class AnyNet(Arch):
    """One network, stage by stage. Resolutions in pixels (square inputs), widths in channels.

    `block`: "bottleneck" is the X block, or the Y block if `se_ratio` > 0: 1x1, 3x3 group, [SE],
    1x1, and a residual with a projection where the shape changes. "inverted" is the Z block: no
    projection, and no activation after the last 1x1.
    `bottleneck_ratios`: hidden width / output width (1 for X and Y, 4 for Z; the paper writes the
    inverse).
    `grouped`: False keeps the 3x3 a plain conv (one group) at any scale, as in ResNet.
    `se_ratio`: relative to the block's input width.
    `head_width`: 0 means no 1x1 conv before pooling.
    """

    name: str
    resolution: int
    test_resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group_widths: tuple[int, ...]
    bottleneck_ratios: tuple[float, ...]
    strides: tuple[int, ...]
    block: str = "bottleneck"
    se_ratio: float = 0.0
    activation: str = "relu"
    stem: str = "conv3x3"
    stem_width: int = 32
    stem_stride: int = 2
    head_width: int = 0
    grouped: bool = True

    def __post_init__(self) -> None:
        check_stages(
            self.name,
            {
                f: getattr(self, f)
                for f in ("depths", "widths", "group_widths", "bottleneck_ratios", "strides")
            },
        )
        check_whole(
            self.name,
            depths=self.depths,
            widths=self.widths,
            group_widths=self.group_widths,
            strides=self.strides,
            stem_width=self.stem_width,
            stem_stride=self.stem_stride,
        )
        check_choice(self.name, "block", self.block, BLOCKS)
        check_choice(self.name, "stem", self.stem, STEMS)
        check_choice(self.name, "activation", self.activation, ACTIVATIONS)
        self.bottleneck_widths  # noqa: B018  (InputError if the group widths do not fit)
        stem = max(self.stem_width, self.head_width)
        check_size(self.name, self.depths, self.widths, self.bottleneck_ratios, stem)
        check_resolution(self.name, self.resolution, self.total_stride)
        check_resolution(self.name, self.test_resolution, self.resolution, MOST_TEST_RESOLUTION)

    @property
    def bottleneck_widths(self) -> tuple[int, ...]:
        """Width of the 3x3 conv of each stage, a multiple of its group width."""
        return tuple(map(self._bottleneck_width, range(len(self.widths))))

    def _bottleneck_width(self, stage: int) -> int:
        width, ratio = self.widths[stage], self.bottleneck_ratios[stage]
        return bottleneck_width(self.name, width, ratio, self.group_widths[stage])

    @property
    def family(self) -> str:
        """RegNetX, RegNetY (with SE), RegNetZ, ResNet or ResNeXt, by its blocks and stem."""
        if self.stem == "conv7x7-maxpool":
            return "ResNeXt" if self.grouped else "ResNet"
        return "RegNetZ" if self.block == "inverted" else "RegNetY" if self.se_ratio else "RegNetX"

    @property
    def total_stride(self) -> int:
        """Input pixels per pixel of the last stage."""
        return super().total_stride * (2 if self.stem == "conv7x7-maxpool" else 1)

    def stem_layers(self, resolution: int) -> list[Layer]:
        """A 3x3 conv, or ResNet's 7x7 conv and max pool."""
        if self.stem == "conv3x3":
            return super().stem_layers(resolution)
        w = self.stem_width
        first = conv("stem.conv", 3, w, resolution, kernel=7, stride=self.stem_stride)
        size = first.size_out
        return [first, Layer("stem.pool", "maxpool", w, w, size, out_size(size, 2), 3, 2)]

    def block_layers(self, stage: int, w_in: int, size: int, stride: int) -> list[Layer]:
        """[proj] conv1 conv2 [se] conv3."""
        w_out, v = self.widths[stage], self._bottleneck_width(stage)
        groups = v // self.group_widths[stage] if self.grouped else 1
        layers = []
        if self.block == "bottleneck" and (w_in != w_out or stride != 1):
            layers.append(conv("proj", w_in, w_out, size, stride=stride))
        layers.append(conv("conv1", w_in, v, size))
        layers.append(conv("conv2", v, v, size, kernel=3, stride=stride, groups=groups))
        if self.se_ratio:  # hidden width: RegNets round, EfficientNets truncate (authors' code)
            layers += se_layers(v, max(1, round(w_in * self.se_ratio)))
        return [*layers, conv("conv3", v, w_out, out_size(size, stride))]

    def resized(
        self,
        width: Callable[[float], int],
        group_width: Callable[[float], int],
        **changed: Any,
    ) -> Self:
        """Resizes widths and group widths and makes them compatible; stem and head stay."""
        widths = tuple(map(width, self.widths))
        if self.grouped:
            groups = tuple(map(group_width, self.group_widths))
        else:  # a plain 3x3 conv is one group, as wide as its bottleneck
            ratios = zip(widths, self.bottleneck_ratios, strict=True)
            groups = tuple(max(1, round(w * b)) for w, b in ratios)
        widths, groups = compatible_stages(widths, self.bottleneck_ratios, groups)
        return self.with_(**changed, widths=widths, group_widths=groups)
