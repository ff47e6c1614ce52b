"""What the runtime law is a combination of: counts of a network, from its definition alone.

Section 3 of the paper relates run time to flops, params and acts. Beside these: how many layers there are (each costs something however
small it is), and which acts are outputs of grouped or depthwise convs (compilers treat those differently).
"""

from typing import NamedTuple

from fastscale.archs import Arch


class Terms(NamedTuple):
    """Counts for one image: `flops` multiply-adds, `acts` elements of which `grouped_acts` from grouped convs, `params`, `layers`."""

    flops: int
    acts: int
    params: int
    layers: int
    grouped_acts: int

    @property
    def plain_acts(self) -> int:
        """Acts of all layers that are not grouped convs."""
        return self.acts - self.grouped_acts


def terms(arch: Arch, resolution: int | None = None, num_classes: int = 1000) -> Terms:
    """The terms of `arch` at `resolution` px (its own unless given); flops, acts and params are those of `fastscale.counts`.

    >>> from fastscale.archs import base_arch
    >>> terms(base_arch("resnet-50"))
    Terms(flops=4089185256, acts=11315688, params=25557032, layers=55, grouped_acts=0)
    """
    flops = acts = params = layers = grouped = 0
    for _, repeats, block in arch.parts(resolution, num_classes):
        layers += repeats * len(block)
        for layer in block:
            flops += repeats * layer.flops
            params += repeats * layer.params
            acts += repeats * layer.acts
            grouped += repeats * layer.acts if layer.groups > 1 else 0
    return Terms(flops, acts, params, layers, grouped)
