"""An arch as the list of its layers with their shapes, named as in the built module; the one place where structure meets counts."""

from collections.abc import Callable

from fastscale.archs import AnyNet, Arch, EffNet
from fastscale.archs.check import check_resolution
from fastscale.counts.layers import Layer, conv, out_size

# (w_in, size, stride) -> the block's layers; the last block's output is (w_out, size_out)
Block = Callable[[int, int, int], list[Layer]]


def se_width(w_in: int, ratio: float, rounded: bool) -> int:
    """Hidden width of squeeze-and-excitation: RegNets round, EfficientNets cut (authors' code)."""
    return max(1, round(w_in * ratio) if rounded else int(w_in * ratio))


def _se(width: int, hidden: int) -> list[Layer]:
    return [
        conv("se.reduce", width, hidden, 1, bias=True, norm=False),
        conv("se.expand", hidden, width, 1, bias=True, norm=False),
    ]


def _anynet_block(arch: AnyNet, stage: int) -> Block:
    w_out, v, g = arch.widths[stage], arch.bottleneck_widths[stage], arch.group_widths[stage]
    groups = v // g if arch.grouped else 1
    project = arch.block == "bottleneck"

    def block(w_in: int, size: int, stride: int) -> list[Layer]:
        out = out_size(size, stride)
        layers = []
        if project and (w_in != w_out or stride != 1):
            layers.append(conv("proj", w_in, w_out, size, stride=stride))
        layers += [
            conv("conv1", w_in, v, size),
            conv("conv2", v, v, size, kernel=3, stride=stride, groups=groups),
        ]
        if arch.se_ratio:
            layers += _se(v, se_width(w_in, arch.se_ratio, rounded=True))
        return [*layers, conv("conv3", v, w_out, out)]

    return block


def _effnet_block(arch: EffNet, stage: int) -> Block:
    w_out, expansion, kernel = arch.widths[stage], arch.expansions[stage], arch.kernels[stage]

    def block(w_in: int, size: int, stride: int) -> list[Layer]:
        v, out = w_in * expansion, out_size(size, stride)
        layers = [conv("conv1", w_in, v, size)] if v != w_in else []
        layers.append(conv("conv2", v, v, size, kernel=kernel, stride=stride, groups=v))
        if arch.se_ratio:
            layers += _se(v, se_width(w_in, arch.se_ratio, rounded=False))
        return [*layers, conv("conv3", v, w_out, out)]

    return block


def _stem(arch: Arch, resolution: int) -> list[Layer]:
    big = isinstance(arch, AnyNet) and arch.stem == "conv7x7-maxpool"
    stem = [
        conv(
            "stem.conv",
            3,
            arch.stem_width,
            resolution,
            kernel=7 if big else 3,
            stride=arch.stem_stride,
        )
    ]
    if big:
        size = stem[0].size_out
        stem.append(
            Layer(
                "stem.pool",
                "maxpool",
                arch.stem_width,
                arch.stem_width,
                size,
                out_size(size, 2),
                3,
                2,
            )
        )
    return stem


def _head(arch: Arch, w_in: int, size: int, num_classes: int) -> list[Layer]:
    head = [conv("head.conv", w_in, arch.head_width, size)] if arch.head_width else []
    width = arch.head_width or w_in
    return [*head, Layer("head.fc", "linear", width, num_classes, 1, 1, bias=True)]


def parts(
    arch: Arch, resolution: int | None = None, num_classes: int = 1000
) -> list[tuple[str, int, list[Layer]]]:
    """(prefix, repeats, layers): the network as runs of equal blocks; `prefix` holds `{}` for the block's number where it repeats.

    Blocks 2..d of a stage are the same, so that counting costs two blocks a stage, however deep it is.
    """
    resolution = arch.resolution if resolution is None else resolution
    check_resolution(arch.name, resolution, arch.total_stride)
    out = [("", 1, _stem(arch, resolution))]
    width, size = out[0][2][-1].w_out, out[0][2][-1].size_out
    for i, (depth, stride) in enumerate(zip(arch.depths, arch.strides, strict=True)):
        block = _effnet_block(arch, i) if isinstance(arch, EffNet) else _anynet_block(arch, i)
        first = block(width, size, stride)
        width, size = first[-1].w_out, first[-1].size_out
        out.append((f"stages.{i}.0.", 1, first))
        if depth > 1:
            out.append((f"stages.{i}.{{}}.", depth - 1, block(width, size, 1)))
    return [*out, ("", 1, _head(arch, width, size, num_classes))]


def layers(arch: Arch, resolution: int | None = None, num_classes: int = 1000) -> list[Layer]:
    """Every counted layer in order, `name` the path of its module in `fastscale.build(arch)`."""
    out = []
    for prefix, repeats, block in parts(arch, resolution, num_classes):
        for n in range(repeats):
            path = prefix.format(n + 1)
            out += [Layer(**{**vars(layer), "name": path + layer.name}) for layer in block]
    return out
