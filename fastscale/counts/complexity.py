"""flops, params and acts of a network: the paper's three measures of complexity."""

from dataclasses import dataclass

from fastscale.archs import Arch
from fastscale.archs.check import check_classes
from fastscale.common import html_table


@dataclass(frozen=True)
class Complexity:
    """Counts for one image."""

    flops: int  # multiply-adds
    params: int  # weights
    acts: int  # elements of conv outputs

    def _repr_html_(self) -> str:
        return html_table(["flops (multiply-adds)", "params", "acts"], [list(vars(self).values())])


def complexity(arch: Arch, resolution: int | None = None, num_classes: int = 1000) -> Complexity:
    """Exact counts of `arch` for one image of `resolution` pixels a side; default: its own.

    InputError if the resolution is too small.

    >>> from fastscale.archs import base_arch
    >>> complexity(base_arch("resnet-50"))
    Complexity(flops=4089185256, params=25557032, acts=11315688)
    """
    check_classes(num_classes)
    flops = params = acts = 0
    for _, repeats, block in arch.parts(resolution, num_classes):
        for layer in block:
            flops += repeats * layer.flops
            params += repeats * layer.params
            acts += repeats * layer.acts
    return Complexity(flops, params, acts)
