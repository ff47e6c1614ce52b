"""Memory of one device, computed from the network's definition.

Training (`training_memory_mib`): the parameters' state, and what the forward pass keeps for the
backward pass.

    bytes = params (4 weights + 4 gradients + 4 momentum + 4 average [+ 2 half copies])
            + batch (kept elements x 2 or 4 + image)

Kept for one image: a conv's output (batch norm needs it), the batch norm's output if a SiLU follows
(ReLU works in place), what the next layer reads, the product of squeeze-and-excitation, and a max
pool's 8-byte indices. Mixed precision keeps 2 bytes an element and half copies of the weights.

This is the sum of tensors at the end of the forward pass, a lower bound: the peak adds cuDNN's
workspaces, gradients in flight and what the allocator cannot fill. If a device's records hold
peaks, `calibrated` is their ratio to it.

Inference (`inference_memory_mib`): the weights and the most tensors alive at once, also without
workspaces.
"""

import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastscale.archs import Arch
from fastscale.archs.layers import Layer

if TYPE_CHECKING:
    from fastscale.records import Record

MIB = 2**20
_INDEX = 8  # bytes of a max pool's index


def is_half(precision: str | None) -> bool:
    """Whether the precision keeps activations in 16 bits."""
    return precision is not None and ("mixed" in precision or "16" in precision)


def kept_elements(
    arch: Arch, resolution: int | None = None, num_classes: int = 1000
) -> tuple[int, int]:
    """(elements kept for one image, elements of max pools, whose indices are extra)."""
    silu = arch.activation == "silu"
    kept = pooled = 0
    for _, repeats, block in arch.parts(resolution, num_classes):
        gated = any(layer.name == "se.reduce" for layer in block)
        for layer in block:
            kept += repeats * layer.acts * _copies(layer, silu, gated)
            pooled += repeats * layer.acts * (layer.kind == "maxpool")
    return kept, pooled


def _copies(layer: Layer, silu: bool, gated: bool) -> int:
    """How many tensors of its output's size a layer keeps."""
    if layer.kind != "conv":
        return 1
    if layer.name.startswith("se."):
        return 2 if silu else 1
    if layer.name == "proj":
        return 1  # its batch norm's output goes into a sum, which keeps nothing
    if layer.name == "conv3":
        return 2  # its output and the block's, which the next block reads
    return 2 + silu + (gated and layer.name == "conv2")


def training_memory_mib(
    arch: Arch,
    batch: float,
    precision: str | None = "16-mixed",
    *,
    average: bool = True,
    resolution: int | None = None,
    num_classes: int = 1000,
) -> float:
    """MiB on one device for a step of `batch` images (see above).

    `average`: whether averaged (EMA) weights are kept there, as `fastscale fit` does.
    """
    pixels = (arch.resolution if resolution is None else resolution) ** 2
    kept, pooled = kept_elements(arch, resolution, num_classes)
    params = sum(
        n * layer.params for _, n, block in arch.parts(resolution, num_classes) for layer in block
    )
    half = is_half(precision)
    state = params * (12 + 4 * average + 2 * half)
    image = 3 * pixels * (4 + 2 * half)
    return (state + batch * (kept * (2 if half else 4) + pooled * _INDEX + image)) / MIB


def live_elements(arch: Arch, resolution: int | None = None, num_classes: int = 1000) -> int:
    """The most elements alive at once in a forward pass of one image, without its pixels.

    A conv's output lives as long as its batch norm's, a block's input until the block's sum. The
    callers of a block still hold the inputs of its stage and of the first stage.
    """
    (_, _, stem), *blocks, (_, _, head) = arch.parts(resolution, num_classes)
    most = max(2 * layer.acts for layer in stem)
    first = entered = x = stem[-1].acts
    stage = ""
    for prefix, repeats, block in blocks:
        number = prefix.split(".")[1]
        if number != stage:
            stage, entered = number, x
        acts = {layer.name: layer.acts for layer in block}
        for i in range(min(repeats, 2)):  # equal blocks: all others are like the second
            held = sum({"first": first, "entered": entered, "x": x}.values())
            held -= first * (stage == "0") + entered * (x == entered and i == 0)
            before, out = acts.get("conv1", 0), acts["conv3"]
            steps = (2 * before, before + 2 * acts["conv2"], acts["conv2"] + 2 * out)
            most = max(most, held + max(*steps, out + 2 * acts.get("proj", 0)))
            x = out
    held = first + entered + x
    return max(most, *(held + 2 * layer.acts for layer in head))


def inference_memory_mib(
    arch: Arch,
    batch: float,
    precision: str | None = "32-true",
    *,
    resolution: int | None = None,
    num_classes: int = 1000,
) -> float:
    """MiB on one device for an eager pass of `batch` images, batch norms not folded (see above)."""
    pixels = (arch.resolution if resolution is None else resolution) ** 2
    params = sum(
        n * layer.params for _, n, block in arch.parts(resolution, num_classes) for layer in block
    )
    half = is_half(precision)
    live = live_elements(arch, resolution, num_classes) * (2 if half else 4) + 3 * pixels * 4
    return (params * (4 + 2 * half) + batch * live) / MIB


def calibrated(records: "Iterable[Record]") -> float:
    """The median measured / modelled peak of training-step records; 1 if none holds a peak."""
    # imported here: a plan for a named device needs no records
    from fastscale.records import arch_of, step_time

    ratios = []
    for r in records:
        batch, precision = r.env.get("batch"), r.env.get("precision")
        if r.kind == "time" and "peak_memory_mib" in r.values and step_time(r, "step") and batch:
            size = {"resolution": r.resolution, "num_classes": r.num_classes}
            ratios.append(
                r.values["peak_memory_mib"]
                / training_memory_mib(arch_of(r), batch, precision, average=False, **size)
            )
    return statistics.median(ratios) if ratios else 1.0
