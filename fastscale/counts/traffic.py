"""The least number of bytes that a training step moves: the other axis of a roofline.

In half precision (2 bytes per element), with everything else fused into convs and batch norms:

    conv        Forward: reads its input, writes its output. Backward: reads the output's gradient
                twice and the input once, writes the input's gradient. 3 (in + out) elements
    batch norm  Forward: reads its input once for the statistics and once to normalise, writes its
                output. Backward: reads input and gradient twice, writes one. 8 x out elements
    parameter   Reads weight, gradient and momentum, writes weight, momentum and gradient (float32);
                writes a half-precision copy and reads it twice. 30 bytes

A real step moves more: activation functions, gates and sums read their tensors too, and kernels
reread what has left the caches.
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
