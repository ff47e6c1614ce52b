"""A family defined outside the package, in this one file: MobileNetV2's inverted residuals."""

from dataclasses import dataclass

import fastscale as fs
from fastscale.archs.layers import Layer, conv, out_size


@fs.register_family
@dataclass(frozen=True)
class MobileNetV2(fs.Arch):
    """1x1 expanding conv, depthwise 3x3, 1x1; no SE; ReLU6; stem and head scale too."""

    name: str
    resolution: int
    test_resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    expansion: int = 6
    stem_width: int = 16
    stem_stride: int = 2
    head_width: int = 64
    activation: str = "relu6"

    def block_layers(self, stage: int, w_in: int, size: int, stride: int) -> list[Layer]:
        v = w_in * self.expansion
        return [
            conv("conv1", w_in, v, size),
            conv("conv2", v, v, size, kernel=3, stride=stride, groups=v),
            conv("conv3", v, self.widths[stage], out_size(size, stride)),
        ]

    def resized(self, width, group_width, **changed):
        changed |= {"stem_width": width(self.stem_width), "head_width": width(self.head_width)}
        return super().resized(width, group_width, **changed)


TINY = MobileNetV2("mobilenetv2-tiny", 32, 32, (1, 2, 2), (8, 16, 24), (1, 2, 2))
