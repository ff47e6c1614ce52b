"""Whether a network's numbers are numbers: the one check of parameters, buffers and logits."""

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.no_grad()
def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of the first floating tensor that holds NaN or infinity, or None; one wait for the
    device. `state`: a module's `state_dict()`."""
    floating = {k: v for k, v in state.items() if v.is_floating_point() and v.numel()}
    if not floating:
        return None
    flags = torch.stack([v.isfinite().all() for v in floating.values()])
    if bool(flags.all()):
        return None
    return next(k for k, fine in zip(floating, flags.tolist(), strict=True) if not fine)
