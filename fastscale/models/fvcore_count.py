"""Independent counts of a built module by fvcore, converted to the paper's convention.

fvcore traces the real forward pass and knows nothing of our formulas. Unlike the paper, it counts
flops for batch norm and pooling but not for biases, and no acts for max pools. The code below
undoes each difference.
"""

import warnings

import torch
from torch import nn

from fastscale.counts import Complexity


def output_shapes(
    net: nn.Module, x: torch.Tensor, modules: dict[str, nn.Module]
) -> dict[str, torch.Size]:
    """The shape of each module's output for one image, from a forward pass of the batch `x`."""
    shapes: dict[str, torch.Size] = {}

    def remember(name: str):
        def hook(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
            shapes[name] = output.shape[1:]

        return hook

    hooks = [module.register_forward_hook(remember(name)) for name, module in modules.items()]
    try:
        net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def fvcore_complexity(net: nn.Module, resolution: int) -> Complexity:
    """Counts for one (1, 3, resolution, resolution) input, in the paper's convention.

    `net` keeps its mode, training or eval.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore uses torch.jit, which warns that it is deprecated
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

    counted: dict[str, nn.Module] = {
        n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.MaxPool2d)
    }
    training, x = net.training, torch.zeros(1, 3, resolution, resolution)
    net.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = {
                name: shape.numel() for name, shape in output_shapes(net, x, counted).items()
            }
            flops = (
                FlopCountAnalysis(net, x)
                .unsupported_ops_warnings(False)
                .uncalled_modules_warnings(False)
                .by_operator()
            )
            acts = (
                ActivationCountAnalysis(net, x)
                .unsupported_ops_warnings(False)
                .uncalled_modules_warnings(False)
                .total()
            )
    finally:
        net.train(training)
    # a bias is one flop per output element
    biases = sum(outputs[n] for n, m in counted.items() if getattr(m, "bias", None) is not None)
    pools = sum(outputs[n] for n, m in counted.items() if isinstance(m, nn.MaxPool2d))
    return Complexity(
        int(flops["conv"] + flops["linear"]) + biases,
        int(parameter_count(net)[""]),
        int(acts) + pools,
    )
