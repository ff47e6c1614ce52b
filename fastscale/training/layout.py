"""Memory layout: one setting decides for network and batches together (design: layout is a measured choice)."""

import torch
from torch import nn

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def resolve_layout(layout: str) -> str:
    """The layout that "auto" means: channels_last.

    Measured on CPUs (scripts/measure_settings.py): 1.2 to 1.8 times the images/s of contiguous for the tiny RegNetY and its scaled
    networks. Not measured on GPUs yet; there it is what cuDNN's tensor-core kernels work in.
    """
    return "channels_last" if layout == "auto" else layout


def memory_format(layout: str) -> torch.memory_format:
    """torch's name for a layout, "auto" included."""
    return LAYOUTS[resolve_layout(layout)]


def to_layout(net: nn.Module, layout: str) -> None:
    """Puts the network's weights in a layout, in place."""
    net.to(memory_format=memory_format(layout))  # type: ignore[call-overload]  # torch's stubs leave this form out
