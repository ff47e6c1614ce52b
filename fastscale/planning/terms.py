"""The counts of a network that the runtime law combines, from its definition.

Section 3 of the paper relates run time to flops, params and acts. We add the number of layers (each
has a fixed cost) and the acts of grouped or depthwise convs by their channels a group, because
kernels are optimised for some widths only.
"""

from collections.abc import Callable
from typing import NamedTuple

from fastscale.archs import Arch


class Terms(NamedTuple):
    """Counts for one image: `flops` (multiply-adds), `acts` (elements), `params`, `layers`.

    `grouped`: (channels a group, acts) of grouped convs; 1 channel for depthwise ones.
    """

    flops: int
    acts: int
    params: int
    layers: int
    grouped: tuple[tuple[int, int], ...]

    @property
    def grouped_acts(self) -> int:
        """Acts of grouped convs."""
        return sum(acts for _, acts in self.grouped)

    @property
    def group_width(self) -> int:
        """The most channels a group of its grouped convs; 0 without any."""
        return max((width for width, _ in self.grouped), default=0)

    @property
    def plain_acts(self) -> int:
        """Acts of all layers that are not grouped convs."""
        return self.acts - self.grouped_acts

    def by_width(self, name: str) -> float:
        """The acts of grouped convs, weighted by a rule of WIDTHS."""
        counts = WIDTHS[name]
        return sum(acts * counts(width) for width, acts in self.grouped)


def _uneven(width: int) -> bool:
    return width > 8 and width & (width - 1) != 0


# rule -> the weight of one act of a grouped conv, by its channels a group
WIDTHS: dict[str, Callable[[int], float]] = {
    "thin_acts": lambda width: 1 < width < 8,
    "wide_acts": lambda width: width >= 24,
    "uneven_acts": _uneven,  # not a power of two
    "uneven_groups": lambda width: _uneven(width) / width,  # a group, not a channel, costs
    "padded_acts": lambda width: (1 << (width - 1).bit_length()) / width - 1 if width >= 8 else 0,
    "off_16_acts": lambda width: width > 8 and width % 16 != 0,
    "off_32_acts": lambda width: width > 8 and width % 32 != 0,
}


def terms(arch: Arch, resolution: int | None = None, num_classes: int = 1000) -> Terms:
    """The terms of `arch` at `resolution` px (default: its own); same counts as `fastscale.counts`.

    >>> from fastscale.archs import base_arch
    >>> terms(base_arch("resnet-50"))
    Terms(flops=4089185256, acts=11315688, params=25557032, layers=55, grouped=())
    """
    flops = acts = params = layers = 0
    grouped: dict[int, int] = {}
    for _, repeats, block in arch.parts(resolution, num_classes):
        layers += repeats * len(block)
        for layer in block:
            flops += repeats * layer.flops
            params += repeats * layer.params
            acts += repeats * layer.acts
            if layer.groups > 1:
                width = layer.w_in // layer.groups
                grouped[width] = grouped.get(width, 0) + repeats * layer.acts
    return Terms(flops, acts, params, layers, tuple(sorted(grouped.items())))
