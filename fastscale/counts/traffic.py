"""Bytes that a training step moves at least, from the network's definition: the other axis of a roofline.

In half precision (2 bytes an element), if everything else were fused into convs and batch norms:

    conv        reads its input, writes its output; backwards reads the output's gradient twice, the
                input once, and writes the input's gradient: 3 (in + out) elements
    batch norm  passes over its input once for the statistics, once to normalise, and writes; backwards
                reads it and the gradient twice and writes one: 8 elements of its output
    parameter   30 bytes a step: weight, gradient and momentum read, weight and momentum written, the
                gradient written (float32), a half copy written and read twice

A real step moves more: activation functions, gates and sums pass over their tensors too, and kernels
read what caches no longer hold.
"""

from fastscale.archs import Arch

HALF = 2
PER_PARAM = 30


def step_bytes(
    arch: Arch, batch: int, resolution: int | None = None, num_classes: int = 1000
) -> int:
    """Bytes of a training step of `batch` images at `resolution` px (default: its own).

    >>> from fastscale.archs import base_arch
    >>> round(step_bytes(base_arch("regnety-4gf"), 64) / 1e9, 1)
    26.8
    """
    elements = params = 0
    for _, repeats, block in arch.parts(resolution, num_classes):
        for layer in block:
            read = layer.w_in * layer.size_in**2
            elements += repeats * (3 * (read + layer.acts) + 8 * layer.norm * layer.acts)
            params += repeats * layer.params
    return batch * elements * HALF + params * PER_PARAM
