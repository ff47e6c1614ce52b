"""RegNet: six numbers that determine the width and depth of every stage.

"Designing Network Design Spaces", Radosavovic et al. 2020.
"""

import math
from dataclasses import dataclass
from typing import Any

from fastscale.archs.anynet import AnyNet
from fastscale.archs.check import MOST_BLOCKS
from fastscale.archs.compatibility import compatible_stages
from fastscale.common import IMAGENET_PIXELS, IMAGENET_RESIZED
from fastscale.errors import InputError


@dataclass(frozen=True)
class RegNet:
    """The parameters of a RegNet; the last two hold for all stages."""

    depth: int
    w0: int  # initial width
    wa: float  # slope
    wm: float  # quantisation
    group_width: int
    bottleneck_ratio: float = 1.0

    def __post_init__(self) -> None:
        if (
            not 1 <= self.depth <= MOST_BLOCKS
            or self.w0 < 8
            or self.w0 % 8
            or self.wa < 0
            or self.wm <= 1
            or self.group_width < 1
        ):
            raise InputError(
                f"RegNet needs 1 <= d <= {MOST_BLOCKS:,}, w0 a multiple of 8, wa >= 0, wm > 1, "
                f"g >= 1; got {self}"
            )

    def stages(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(depths, widths): equal widths form a stage.

        w_j = w0 + wa j is quantised to w0 * wm^k, then rounded to a multiple of 8.
        """
        widths: list[int] = []
        for j in range(self.depth):
            k = round(math.log((self.w0 + self.wa * j) / self.w0) / math.log(self.wm))
            widths.append(round(self.w0 * self.wm**k / 8) * 8)
        unique = sorted(set(widths))
        return tuple(widths.count(w) for w in unique), tuple(unique)

    def to_anynet(
        self,
        name: str,
        resolution: int = IMAGENET_PIXELS,
        test_resolution: int = IMAGENET_RESIZED,
        **fields: Any,
    ) -> AnyNet:
        """The network as an AnyNet in which every stage has stride 2.

        `fields`: other fields of AnyNet (block, se_ratio, activation, stem, head).
        """
        depths, widths = self.stages()
        n = len(depths)
        ratios = (self.bottleneck_ratio,) * n
        widths, group_widths = compatible_stages(widths, ratios, (self.group_width,) * n)
        return AnyNet(
            name,
            resolution,
            test_resolution,
            depths,
            widths,
            group_widths,
            ratios,
            strides=(2,) * n,
            **fields,
        )
