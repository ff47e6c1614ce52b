"""Arch: what all families of networks have in common, and the methods in which they differ.

A family is a frozen dataclass that derives from `Arch`. It defines the layers of its blocks
(`block_layers`), and may override stem, head, scaling rule (`resized`) and the attributes below.
Counts, scaling, modules, training, planning and figures use these and know no family by name.

    @dataclass(frozen=True)
    class Mine(Arch):
        name: str
        ...
    fastscale.archs.register_family(Mine)      # so that definitions of its networks can be read

The module of a block is built from its layers by the builder registered under `block`
(`fastscale.models.blocks.register_block`); "bottleneck" and "inverted" are built in.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any, ClassVar, Self

from fastscale.archs.check import (
    MOST_TEST_RESOLUTION,
    check_name,
    check_resolution,
    check_size,
    check_stages,
    check_whole,
)
from fastscale.archs.layers import Layer, conv
from fastscale.common import html_table
from fastscale.errors import InputError

# (prefix, repeats, layers) of equal blocks in a row; `{}` in `prefix` is the number of the block
Part = tuple[str, int, list[Layer]]


class Arch(ABC):
    """One network. Resolutions in pixels (square inputs), widths in channels, per-stage tuples."""

    name: str
    resolution: int
    test_resolution: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    stem_width: int
    stem_stride: int
    head_width: int  # of the 1x1 conv before pooling; 0: none
    activation: str  # of all layers: relu, relu6 or silu

    group_widths: tuple[int, ...]  # of the group convs of each stage, if `grouped`

    __dataclass_fields__: ClassVar[dict[str, Any]]  # every network is a dataclass

    # attributes with defaults
    block: str = "inverted"  # the builder of the modules of blocks
    grouped: bool = False  # whether it has group convs, which grow with a strategy's group width
    norm_eps: float = 1e-5  # of batch norm
    padding: str = "even"  # or "same", TensorFlow's
    weight_decay: float = 2e-5  # for recipes that leave it to the network

    @property
    def family(self) -> str:
        """The name of its family in figures, laws and tables: RegNetY, ResNet, ..."""
        return type(self).__name__

    @property
    def total_stride(self) -> int:
        """Input pixels per pixel of the last stage."""
        return self.stem_stride * prod(self.strides)

    @abstractmethod
    def block_layers(self, stage: int, w_in: int, size: int, stride: int) -> list[Layer]:
        """The layers of a block of `stage` with an input of w_in x size x size.

        Each has the name of its module in the block (conv1, conv2, se.reduce, ...). The output of
        the last layer is that of the block.
        """

    def stem_layers(self, resolution: int) -> list[Layer]:
        """A 3x3 conv; families may override it."""
        return [
            conv("stem.conv", 3, self.stem_width, resolution, kernel=3, stride=self.stem_stride)
        ]

    def head_layers(self, w_in: int, size: int, num_classes: int) -> list[Layer]:
        """[1x1 conv], pooling, linear."""
        head = [conv("head.conv", w_in, self.head_width, size)] if self.head_width else []
        width = self.head_width or w_in
        return [*head, Layer("head.fc", "linear", width, num_classes, 1, 1, bias=True)]

    def resized(
        self,
        width: Callable[[float], int],
        group_width: Callable[[float], int],
        **changed: Any,
    ) -> Self:
        """The family's scaling rule: the network with other widths and the `changed` fields.

        `width`, `group_width`: functions from a width to the scaled and rounded one. `changed`:
        name, depths and resolutions.
        """
        return self.with_(**changed, widths=tuple(map(width, self.widths)))

    def with_(self, **changed: Any) -> Self:
        """A copy with other fields."""
        return replace(self, **changed)

    def parts(self, resolution: int | None = None, num_classes: int = 1000) -> list[Part]:
        """The network as runs of equal blocks, so that counting visits two blocks per stage.

        `resolution`: default: its own. InputError if it is too small.
        """
        resolution = self.resolution if resolution is None else resolution
        check_resolution(self.name, resolution, self.total_stride)
        try:
            body = _body(self, resolution)
        except TypeError:  # a user's arch may hold a list, which has no hash
            body = self._body(resolution)
        last = body[-1][2][-1]
        head = self.head_layers(last.w_out, last.size_out, num_classes)
        return [*((prefix, n, [*block]) for prefix, n, block in body), ("", 1, head)]

    def _body(self, resolution: int) -> tuple[Part, ...]:
        """Stem and stages."""
        out: list[Part] = [("", 1, self.stem_layers(resolution))]
        width, size = out[0][2][-1].w_out, out[0][2][-1].size_out
        for i, (depth, stride) in enumerate(zip(self.depths, self.strides, strict=True)):
            first = self.block_layers(i, width, size, stride)
            width, size = first[-1].w_out, first[-1].size_out
            out.append((f"stages.{i}.0.", 1, first))
            if depth > 1:
                out.append((f"stages.{i}.{{}}.", depth - 1, self.block_layers(i, width, size, 1)))
        return tuple(out)

    def layers(self, resolution: int | None = None, num_classes: int = 1000) -> list[Layer]:
        """Every counted layer in order; its `name` is the path of its module in `build(arch)`."""
        return [
            layer._replace(name=prefix.format(n + 1) + layer.name)
            for prefix, repeats, block in self.parts(resolution, num_classes)
            for n in range(repeats)
            for layer in block
        ]

    def _repr_html_(self) -> str:
        """A table of stages and counts."""
        names = ("depths", "widths", "group_widths", "strides")
        fields = [f for f in names if f != "group_widths" or self.grouped]
        stages = zip(*(getattr(self, f) for f in fields), strict=True)
        rows = [[i, *stage] for i, stage in enumerate(stages, 1)]
        counts = dict.fromkeys(("flops", "params", "acts"), 0)
        for _, repeats, layers in self.parts():
            for layer in layers:
                for name in counts:
                    counts[name] += repeats * getattr(layer, name)
        text = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        caption = f"{self.name} at {self.resolution} px: {text} (flops are multiply-adds)"
        heads = ["stage", *(f.replace("_", " ").removesuffix("s") for f in fields)]
        return html_table(heads, rows, caption)


@lru_cache(maxsize=1024)
def _body(arch: Arch, resolution: int) -> tuple[Part, ...]:
    """Cached: counts, the runtime law and memory estimates walk the same networks."""
    return arch._body(resolution)


def se_layers(width: int, hidden: int) -> list[Layer]:
    """Squeeze-and-excitation of `width` channels."""
    return [
        conv("se.reduce", width, hidden, 1, bias=True, norm=False),
        conv("se.expand", hidden, width, 1, bias=True, norm=False),
    ]


def check_arch(arch: object) -> None:
    """InputError unless `arch`, of any family, can be named, counted and built.

    Its name must be fit for files and its sizes must be in bounds.
    """
    if not isinstance(arch, Arch):
        raise InputError(f"expected an arch, got {arch!r:.80}")
    check_name(arch.name)
    name = arch.name
    check_stages(name, {f: getattr(arch, f) for f in ("depths", "widths", "strides")})
    check_whole(
        name,
        depths=arch.depths,
        widths=arch.widths,
        strides=arch.strides,
        stem_width=arch.stem_width,
        stem_stride=arch.stem_stride,
    )
    stem = max(arch.stem_width, arch.head_width)
    check_size(name, arch.depths, arch.widths, (0.0,) * len(arch.widths), stem)
    check_resolution(name, arch.resolution, arch.total_stride)
    check_resolution(name, arch.test_resolution, arch.resolution, MOST_TEST_RESOLUTION)
    arch.parts()
