"""The structure of a block (Fig. 3), traced from the real module so that the drawing is true.

The only module of this package that builds networks; it loads torch when a block is asked for. An
unknown operation is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscale.scaling import arch_named

if TYPE_CHECKING:
    from torch import fx, nn


@dataclass(frozen=True)
class Step:
    """One operation: its kind, its label, and its input and output channels."""

    kind: str  # conv, norm, act or se
    label: str
    w_in: int
    w_out: int


@dataclass(frozen=True)
class BlockGraph:
    """The steps of a block by branch."""

    title: str
    module: str  # its place in the network
    width: int  # of its input
    main: tuple[Step, ...]
    shortcut: tuple[Step, ...] | None  # None: no shortcut; empty: the identity
    after: tuple[Step, ...]  # after the sum


def built(arch: str) -> Any:
    """The network of that name as it is trained, on the meta device (without values)."""
    import torch

    from fastscale.models import build

    with torch.device("meta"):
        return build(arch_named(arch))


def trace_block(network: Any, stage: int, index: int, title: str) -> BlockGraph:
    """The graph of block `index` of stage `stage` of a built network, both from 0."""
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
    """The steps up to `node`, from the sum or block input that they start at, and that start."""
    import operator

    found: list[Step] = []
    while node.op == "call_module":
        step = _step(modules[str(node.target)])
        found += [step] if step else []
        (node,) = node.args  # type: ignore[assignment]
    if node.op != "placeholder" and not (
        node.op == "call_function" and node.target is operator.add
    ):
        raise ValueError(f"unknown operation in a block: {node.format_node()}")
    return tuple(reversed(found)), node


def _step(module: nn.Module) -> Step | None:
    """A module as a step; None for the identity."""
    from torch import nn

    from fastscale.models.layers import SqueezeExcite

    if isinstance(module, nn.Identity):
        return None
    if isinstance(module, nn.Conv2d):
        kernel, stride = module.kernel_size[0], module.stride[0]
        label = f"{kernel}x{kernel} conv"
        if module.groups > 1:
            label += f", group width {module.in_channels // module.groups}"
        label += f", stride {stride}" if stride > 1 else ""
        label += ", bias" if module.bias is not None else ""
        return Step("conv", label, module.in_channels, module.out_channels)
    if isinstance(module, nn.BatchNorm2d):
        return Step("norm", "BN", module.num_features, module.num_features)
    if isinstance(module, nn.ReLU | nn.SiLU):
        return Step("act", type(module).__name__, 0, 0)
    if isinstance(module, SqueezeExcite):
        first, second = module.reduce, module.expand
        label = f"SE: pool, {first.out_channels} wide, {type(module.act).__name__}, sigmoid"
        return Step("se", label, first.in_channels, second.out_channels)
    raise ValueError(f"unknown module in a block: {type(module).__name__}")
