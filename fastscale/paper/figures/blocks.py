"""Fig. 3, drawn from traced modules: the Y and the Z block, with and without a change of shape.

    drawing:
      by: blocks
      blocks: [{arch: regnety-4gf, stage: 2, index: 1, title: Y block}]

The width of a box grows with its output channels, down to a minimum that fits its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from fastscale.paper.artifacts import Drawing, Figure, drawing
from fastscale.paper.blocks import BlockGraph, Step, built, trace_block
from fastscale.paper.chart import Layout, Mark, Page, Picture
from fastscale.paper.declare import Declared, Line, Network, Some
from fastscale.paper.style import GREY
from fastscale.paper.tables.table import Column, Table
from fastscale.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FACES = {"conv": "#DCEAF6", "group": "#BBD9EE", "se": "#FBE3CC", "act": "#E4F1E4"}
_LINE = "#3A3A3A"
# inches: from box to box, a box's height, half the widest box, a block's panel
_STEP, _HIGH, _WIDEST, _CELL = 0.72, 0.46, 1.42, 3.6


class Block(Declared):
    """A block of a network, by stage and index in the stage, both from 0."""

    arch: Network
    stage: int = Field(ge=0, le=100)
    index: int = Field(ge=0, le=1000)
    title: Line


class Blocks(Drawing):
    blocks: Some[Block]

    def recorded(self, artifact: Figure, records: Sequence[Record]) -> str:
        return "Needs no run."


@dataclass(frozen=True)
class BlockPanel:
    """A panel of one block, in inches."""

    block: BlockGraph
    height: float
    heading: str = ""
    marks: Sequence[Mark] = ()

    def draw(self, ax: Axes) -> None:
        _draw_block(ax, self.block, _CELL, self.height)


@drawing("blocks", spec=Blocks)
def draw_blocks(artifact: Figure, spec: Blocks, records: Sequence[Record]) -> list[Page]:
    """One page: the picture, and the steps as a table."""
    networks = {name: built(name) for name in dict.fromkeys(b.arch for b in spec.blocks)}
    blocks = [trace_block(networks[b.arch], b.stage, b.index, b.title) for b in spec.blocks]
    height = 1.0 + _STEP * (max(len(boxes(b.main)) for b in blocks) + 1.9)
    picture = Picture(
        artifact.title,
        [f"Traced from the modules that are trained: {', '.join(networks)}."],
        [BlockPanel(block, height) for block in blocks],
        2,
        alt=artifact.title,
        layout=Layout(left=0, right=0, between=0, below=0.1, panel=height),
    )
    return [
        Page(
            artifact.name,
            artifact.title,
            artifact.shows,
            pictures={artifact.name: picture},
            tables=[steps_table(blocks, artifact)],
        )
    ]


def steps_table(blocks: Sequence[BlockGraph], artifact: Figure) -> Table:
    """One row per operation, in the order of computation."""
    columns = [
        Column("block", "block", right=False),
        Column("module", "module", right=False),
        Column("branch", "branch", right=False),
        Column("operation", "operation", right=False),
        Column("width_in", "channels in"),
        Column("width_out", "channels out"),
    ]
    rows: list[list] = []
    for block in blocks:
        shortcut = block.shortcut if block.shortcut is not None else ()
        for branch, steps in (
            ("main", block.main),
            ("shortcut", shortcut),
            ("after the sum", block.after),
        ):
            rows += [
                [block.title, block.module, branch, s.label, s.w_in or None, s.w_out or None]
                for s in steps
            ]
        if block.shortcut is None:
            rows.append([block.title, block.module, "shortcut", "none", None, None])
        elif not block.shortcut:
            rows.append(
                [block.title, block.module, "shortcut", "identity", block.width, block.width]
            )
    return Table(
        artifact.name,
        artifact.title,
        columns,
        rows,
        ["Traced from the modules that are trained; nothing is drawn by hand."],
    )


def boxes(steps: Sequence[Step]) -> list[tuple[str, list[str], int]]:
    """(face, lines of text, output channels) of each box.

    A conv shares its box with the norm and activation that follow it; SE has a box for itself.
    """
    found: list[tuple[str, list[str], int]] = []
    for step in steps:
        if step.kind == "conv":
            face = "group" if "group width" in step.label else "conv"
            found.append((face, [step.label, f"{step.w_in} → {step.w_out}"], step.w_out))
        elif step.kind in ("norm", "act") and found and found[-1][0] in ("conv", "group"):
            found[-1][1][-1] += f", {step.label}"
        else:
            name, _, inside = step.label.partition(": ")
            found.append((step.kind, [name, inside] if inside else [name], step.w_out))
    return found


def _draw_block(ax: Axes, block: BlockGraph, cell: float, height: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    ax.set_xlim(0, cell)
    ax.set_ylim(0, height)
    ax.axis("off")
    main = boxes(block.main)
    widest = max([block.width, *(channels for *_, channels in main)])
    x, y = 0.1 + _WIDEST, height - 0.42
    ax.text(0.12, height - 0.12, block.title, fontsize=10, fontweight="bold", va="center")
    ax.text(
        cell - 0.1, height - 0.12, block.module, fontsize=7.5, color=GREY, ha="right", va="center"
    )
    ax.text(x, y, f"{block.width} channels", fontsize=8, color=GREY, ha="center", va="center")
    top = y - 0.1
    for face, lines, channels in main:
        y -= _STEP
        _arrow(ax, (x, top), (x, y + _HIGH / 2))
        _box(ax, x, y, max(0.62, _WIDEST * channels / widest), face, lines)
        top = y - _HIGH / 2
    out = main[-1][2]
    if block.shortcut is not None:
        y -= 0.58
        start = height - 0.52
        right = cell - 0.34
        _arrow(ax, (x, top), (x, y + 0.11))
        ax.plot(
            [x, right],
            [start - 0.06, start - 0.06],
            color=_LINE,
            linewidth=1.1,
            solid_capstyle="round",
        )
        ax.plot(
            [right, right],
            [start - 0.06, y],
            color=_LINE,
            linewidth=1.1,
            solid_capstyle="round",
            zorder=1,
        )
        _arrow(ax, (right, y), (x + 0.11, y))
        ax.add_patch(
            FancyBboxPatch(
                (x - 0.1, y - 0.1),
                0.2,
                0.2,
                boxstyle="circle,pad=0.0",
                facecolor="white",
                edgecolor=_LINE,
            )
        )
        ax.text(x, y - 0.008, "+", fontsize=11, ha="center", va="center")
        steps = boxes(block.shortcut)
        text = "\n".join(line for _, lines, _ in steps for line in lines) if steps else "identity"
        filled = {
            "boxstyle": "round,pad=0.3",
            "facecolor": _FACES["conv"],
            "edgecolor": _LINE,
            "linewidth": 0.8,
        }
        blank = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": "white"}
        height_of_text = (start + y) / 2
        ax.text(
            right,
            height_of_text,
            text,
            fontsize=7.5,
            ha="center",
            va="center",
            rotation=90,
            bbox=filled if steps else blank,
            zorder=3,
        )
        top = y - 0.1
    for face, lines, _ in boxes(block.after):
        y -= 0.5
        _arrow(ax, (x, top), (x, y + 0.14))
        _box(ax, x, y, 0.45, face, lines, 0.28)
        top = y - 0.14
    _arrow(ax, (x, top), (x, top - 0.24))
    ax.text(x, top - 0.33, f"{out} channels", fontsize=8, color=GREY, ha="center", va="center")


def _box(
    ax: Axes, x: float, y: float, half: float, face: str, lines: Sequence[str], high: float = _HIGH
) -> None:
    from matplotlib.patches import FancyBboxPatch

    ax.add_patch(
        FancyBboxPatch(
            (x - half, y - high / 2),
            2 * half,
            high,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=_FACES[face],
            edgecolor=_LINE,
            linewidth=0.9,
        )
    )
    for i, line in enumerate(lines):
        shift = 0.0 if len(lines) == 1 else 0.09 * (1 - 2 * i)
        ax.text(
            x,
            y + shift,
            line,
            fontsize=8.2 if i == 0 else 7.4,
            color="#111111" if i == 0 else GREY,
            ha="center",
            va="center",
            zorder=4,
        )


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    from matplotlib.patches import FancyArrowPatch

    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=8,
            color=_LINE,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
        )
    )
