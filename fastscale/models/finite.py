"""Checks parameters, buffers and logits for NaN and infinity."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


@torch.no_grad()
def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of the first floating-point tensor with NaN or infinity, or None.

    `state`: a module's `state_dict()`. It waits for the device once.
    """
    floating = {k: v for k, v in state.items() if v.is_floating_point() and v.numel()}
    if not floating:
        return None
    flags = torch.stack([v.isfinite().all() for v in floating.values()])
    if bool(flags.all()):
        return None
    return next(k for k, fine in zip(floating, flags.tolist(), strict=True) if not fine)


@torch.no_grad()
def where_not_finite(net: nn.Module, images: Tensor) -> str | None:
    """The name of the first layer of `net` with NaN or infinity in its outputs for `images`; None
    if the logits are finite."""
    found: list[str] = []

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not output.isfinite().all():
                found.append(name)

        return hook

    layers = [(name, m) for name, m in net.named_modules() if not list(m.children())]
    hooks = [m.register_forward_hook(watch(name)) for name, m in layers]
    try:
        logits = net(images)
    finally:
        for hook in hooks:
            hook.remove()
    if logits.isfinite().all():
        return None
    return found[0] if found else "the network"
