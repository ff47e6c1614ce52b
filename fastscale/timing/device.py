"""The device to measure, checked before anything is built."""

import re

import torch

from fastscale.errors import InputError


def usable_device(device: str) -> str:
    """Resolves `auto` and checks cpu, cuda, cuda:0, ...; InputError for a missing GPU."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if count else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise InputError(f"device {device!r}: give cpu, cuda, cuda:0, ... or auto")
    if device.startswith("cuda") and not count:
        raise InputError(f"device {device!r}: torch finds no usable GPU; give cpu or auto")
    if ":" in device and int(device.split(":")[1]) >= count:
        raise InputError(f"device {device!r}: there are {count} GPUs, cuda:0 to cuda:{count - 1}")
    return device
