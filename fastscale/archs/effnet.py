"""EffNet: a stem, stages of mobile inverted bottlenecks (MBConv with SE), and a 1x1 head.

This is the form of EfficientNet (Tan and Le 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from fastscale.archs.arch import Arch, se_layers
from fastscale.archs.check import (
    MOST_TEST_RESOLUTION,
    check_choice,
    check_resolution,
    check_size,
    check_stages,
    check_whole,
)
from fastscale.archs.layers import Layer, conv, out_size
from fastscale.errors import InputError

ACTIVATIONS = ("silu", "relu6")
PADDINGS = ("even", "same")


@dataclass(frozen=True)
class EffNet(Arch):
    """One EfficientNet-like network. Resolutions in pixels (square inputs), widths in channels.

    `expansions`: hidden width / input width of the block; 1 means no expanding conv.
    `kernels`: sizes of the depthwise convs.
    `se_ratio`: relative to the block's input width; 0 means no SE.
    `head_width`: of the 1x1 conv before pooling.
    `padding`: "even" pads both sides equally. "same" is TensorFlow's: a conv with stride 2 gets its
    odd pixel of padding at the end. With `activation` and `norm_eps`, it is for weights trained in
    TensorFlow; none of the three changes a count.
    """

    name: str
    resolution: int
    test_resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    expansions: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    stem_width: int
    head_width: int
    stem_stride: int = 2
    se_ratio: float = 0.25
    activation: str = "silu"
    norm_eps: float = 1e-5
    padding: str = "even"

    weight_decay: ClassVar[float] = 1e-5  # type: ignore[misc]

    def __post_init__(self) -> None:
        stages = {
            f: getattr(self, f) for f in ("depths", "widths", "expansions", "kernels", "strides")
        }
        check_stages(self.name, stages)
        check_whole(
            self.name,
            **stages,
            stem_width=self.stem_width,
            head_width=self.head_width,
            stem_stride=self.stem_stride,
        )
        if any(k % 2 == 0 for k in self.kernels):
            raise InputError(f"{self.name}: kernels must be odd, got {self.kernels}")
        check_choice(self.name, "activation", self.activation, ACTIVATIONS)
        check_choice(self.name, "padding", self.padding, PADDINGS)
        if not 0 < self.norm_eps < 1:
            raise InputError(
                f"{self.name}: norm_eps must be above 0 and below 1, got {self.norm_eps}"
            )
        stem = max(self.stem_width, self.head_width)
        check_size(self.name, self.depths, self.widths, self.expansions, stem)
        check_resolution(self.name, self.resolution, self.total_stride)
        check_resolution(self.name, self.test_resolution, self.resolution, MOST_TEST_RESOLUTION)

    @property
    def family(self) -> str:
        """EfficientNet, for the Lite networks too."""
        return "EfficientNet"

    def block_layers(self, stage: int, w_in: int, size: int, stride: int) -> list[Layer]:
        """[conv1] conv2 [se] conv3."""
        v, out = w_in * self.expansions[stage], out_size(size, stride)
        layers = [conv("conv1", w_in, v, size)] if v != w_in else []
        kernel = self.kernels[stage]
        layers.append(conv("conv2", v, v, size, kernel=kernel, stride=stride, groups=v))
        if self.se_ratio:  # hidden width: EfficientNets truncate, RegNets round (authors' code)
            layers += se_layers(v, max(1, int(w_in * self.se_ratio)))
        return [*layers, conv("conv3", v, self.widths[stage], out)]

    def resized(
        self,
        width: Callable[[float], int],
        group_width: Callable[[float], int],
        **changed: Any,
    ) -> Self:
        """Resizes the widths, and those of stem and head."""
        stem_width, head_width = width(self.stem_width), width(self.head_width)
        changed |= {"stem_width": stem_width, "head_width": head_width}
        return super().resized(width, group_width, **changed)
