"""Arch: what every family of networks has in common, and the methods by which families differ.

A family is a frozen dataclass that derives from `Arch`. It says what its blocks are made of
(`block_layers`), and may say another stem or head, another scaling rule (`resized`) and the facts
below. Counts, scaling, modules, training, planning and figures ask these and know no family by name.

    @dataclass(frozen=True)
    class Mine(Arch):
        name: str
        ...
    fastscale.archs.register_family(Mine)      # so that a definition of one can be read

The module of a block is built from its layers, by the builder registered under `block`
(`fastscale.models.blocks.register_block`); "bottleneck" and "inverted" are there.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any, Self, cast

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

# (prefix, repeats, layers): equal blocks in a row; `prefix` holds `{}` for the number of a repeated block
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

    group_widths: tuple[int, ...]  # of its group convs, by stage, where it is `grouped`

    # what a family need not say
    block: str = "inverted"  # the builder of its blocks' modules
    grouped: bool = False  # whether it has group convs, which grow with a strategy's group width
    norm_eps: float = 1e-5  # of batch norm
    padding: str = "even"  # "same": TensorFlow's
    weight_decay: float = 2e-5  # where the recipe leaves it to the network

    @property
    def family(self) -> str:
        """What figures, laws and tables call networks built like this one: RegNetY, ResNet, ..."""
        return type(self).__name__

    @property
    def total_stride(self) -> int:
        """Input pixels per pixel of the last stage."""
        return self.stem_stride * prod(self.strides)

    @abstractmethod
    def block_layers(self, stage: int, w_in: int, size: int, stride: int) -> list[Layer]:
        """The layers of a block of `stage`, its input w_in x size x size, each named as its module
        in the block (conv1, conv2, se.reduce, ...). The last one's output is the block's."""

    def stem_layers(self, resolution: int) -> list[Layer]:
        """A 3x3 conv, unless the family has another stem."""
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
        """The network with `changed` name, depths and resolutions, its widths grown: the family's
        scaling rule. `width`, `group_width`: the grown, rounded form of one."""
        return self.with_(**changed, widths=tuple(map(width, self.widths)))

    def with_(self, **changed: Any) -> Self:
        """The same network with other fields."""
        return cast(Self, replace(cast(Any, self), **changed))

    def parts(self, resolution: int | None = None, num_classes: int = 1000) -> list[Part]:
        """The network as runs of equal blocks, so that counting costs two blocks a stage, however
        deep it is. `resolution`: default its own. InputError if that is too small."""
        resolution = self.resolution if resolution is None else resolution
        check_resolution(self.name, resolution, self.total_stride)
        try:
            body = _body(self, resolution)
        except TypeError:  # one's own arch that holds a list has no hash
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
        """Every counted layer in order, `name` the path of its module in `fastscale.build(arch)`."""
        return [
            layer._replace(name=prefix.format(n + 1) + layer.name)
            for prefix, repeats, block in self.parts(resolution, num_classes)
            for n in range(repeats)
            for layer in block
        ]

    def _repr_html_(self) -> str:
        """Stages and counts, in a notebook."""
        fields = ("depths", "widths", "group_widths", "strides")
        own = [f for f in fields if f != "group_widths" or self.grouped]
        stages = zip(*(getattr(self, f) for f in own), strict=True)
        rows = [[i, *stage] for i, stage in enumerate(stages, 1)]
        counts = dict.fromkeys(("flops", "params", "acts"), 0)
        for _, repeats, layers in self.parts():
            for layer in layers:
                for name in counts:
                    counts[name] += repeats * getattr(layer, name)
        words = ", ".join(f"{value:,} {name}" for name, value in counts.items())
        caption = f"{self.name} at {self.resolution} px: {words} (flops are multiply-adds)"
        heads = ["stage", *(f.replace("_", " ").removesuffix("s") for f in own)]
        return html_table(heads, rows, caption)


@lru_cache(maxsize=1024)
def _body(arch: Arch, resolution: int) -> tuple[Part, ...]:
    """Walked once: counts, the law's terms and memory of the same networks are asked for in turn."""
    return arch._body(resolution)


def se_layers(width: int, hidden: int) -> list[Layer]:
    """Squeeze-and-excitation of `width` channels."""
    return [
        conv("se.reduce", width, hidden, 1, bias=True, norm=False),
        conv("se.expand", hidden, width, 1, bias=True, norm=False),
    ]


def check_arch(arch: object) -> None:
    """InputError unless a network of whatever family can be named, counted and built: its name is
    fit for a file, its sizes are in bounds."""
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
