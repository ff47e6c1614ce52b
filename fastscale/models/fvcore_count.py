"""Independent counts of a built module by fvcore, brought to the paper's convention operator by operator.

fvcore traces the real forward pass, so it knows nothing of our formulas. It differs from the paper's convention in that it counts batch
norm and pooling as flops, no bias as flops, and no max pool as acts; each difference is undone below from what was traced or built.
"""

import warnings

import torch
from torch import nn

from fastscale.counts import Complexity


def output_shapes(
    net: nn.Module, x: torch.Tensor, modules: dict[str, nn.Module]
) -> dict[str, torch.Size]:
    """Shape of each module's output for one image of the batch `x`, as a real forward pass gives it."""
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
    """Counts of one (1, 3, resolution, resolution) input, in the paper's convention. `net` is put back into its mode."""
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
    biases = sum(
        outputs[n] for n, m in counted.items() if getattr(m, "bias", None) is not None
    )  # one flop an output element
    pools = sum(outputs[n] for n, m in counted.items() if isinstance(m, nn.MaxPool2d))
    return Complexity(
        int(flops["conv"] + flops["linear"]) + biases,
        int(parameter_count(net)[""]),
        int(acts) + pools,
    )
