"""The structure of a block, read from the real module (Fig. 3): its graph is traced, so that a drawing of it cannot say what is not there.

The only place of this room that builds networks; torch is loaded when it is asked for, not before. An operation that is not known here is
an error, never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscale.scaling import arch_named

if TYPE_CHECKING:
    from torch import fx, nn


@dataclass(frozen=True)
class Step:
    """One operation: a short kind (conv, norm, act, se), what is said of it, and the channels that come in and go out."""

    kind: str
    words: str
    w_in: int
    w_out: int


@dataclass(frozen=True)
class BlockGraph:
    """A block: the main branch, the shortcut (None: there is none; empty: the identity), and what follows the sum."""

    title: str
    module: str  # where it stands in the network
    width: int  # of its input
    main: tuple[Step, ...]
    shortcut: tuple[Step, ...] | None
    after: tuple[Step, ...]


def built(arch: str) -> Any:
    """The network of that name, built as it is trained; its weights hold no numbers."""
    import torch

    from fastscale.models import build

    with torch.device("meta"):
        return build(arch_named(arch))


def trace_block(network: Any, stage: int, index: int, title: str) -> BlockGraph:
    """The graph of block `index` of stage `stage` (both from 0) of a built network."""
    from torch import fx

    from fastscale.models.layers import SqueezeExcite

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, SqueezeExcite) or super().is_leaf_module(m, module_qualified_name)

    arch = network.arch.name
    block: Any = network.get_submodule(f"stages.{stage}.{index}")
    graph = Tracer().trace(block)
    modules = dict(block.named_modules())
    (output,) = [node for node in graph.nodes if node.op == "output"]
    end = output.args[0]
    after, joint = _chain(end, modules)
    if joint.op == "placeholder":
        main, shortcut = after, None
        after = ()
    else:
        main, start = _chain(joint.args[0], modules)
        shortcut, other = _chain(joint.args[1], modules)
        if start.op != "placeholder" or other is not start:
            raise ValueError(f"{arch}: block {stage}.{index} does not start from one input")
    return BlockGraph(title, f"{arch}: stages.{stage}.{index}", main[0].w_in, main, shortcut, after)


def _chain(node: Any, modules: dict[str, nn.Module]) -> tuple[tuple[Step, ...], fx.Node]:
    """The steps that lead to `node`, in order, back to a sum or to the block's input; and that node."""
    import operator

    found: list[Step] = []
    while node.op == "call_module":
        step = _step(modules[str(node.target)])
        found += [step] if step else []
        (node,) = node.args  # type: ignore[assignment]
    if node.op != "placeholder" and not (
        node.op == "call_function" and node.target is operator.add
    ):
        raise ValueError(f"an operation that this drawing does not know: {node.format_node()}")
    return tuple(reversed(found)), node


def _step(module: nn.Module) -> Step | None:
    """What a module does, in words; None for the identity."""
    from torch import nn

    from fastscale.models.layers import SqueezeExcite

    if isinstance(module, nn.Identity):
        return None
    if isinstance(module, nn.Conv2d):
        kernel, stride, group = (
            module.kernel_size[0],
            module.stride[0],
            module.in_channels // module.groups,
        )
        words = (
            f"{kernel}x{kernel} conv"
            if module.groups == 1
            else f"{kernel}x{kernel} conv, group width {group}"
        )
        words += (f", stride {stride}" if stride > 1 else "") + (
            ", bias" if module.bias is not None else ""
        )
        return Step("conv", words, module.in_channels, module.out_channels)
    if isinstance(module, nn.BatchNorm2d):
        return Step("norm", "BN", module.num_features, module.num_features)
    if isinstance(module, nn.ReLU | nn.SiLU):
        return Step("act", type(module).__name__, 0, 0)
    if isinstance(module, SqueezeExcite):
        first, second = module.reduce, module.expand
        words = f"SE: pool, {first.out_channels} wide, {type(module.act).__name__}, sigmoid"
        return Step("se", words, first.in_channels, second.out_channels)
    raise ValueError(f"a module that this drawing does not know: {type(module).__name__}")
