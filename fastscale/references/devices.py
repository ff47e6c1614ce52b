"""The devices of timm's benchmark tables by their names, and the versions of torch that they ran."""

from typing import NamedTuple

from fastscale.errors import InputError


class Hardware(NamedTuple):
    """A GPU or a CPU: its maker's name, and its name among the planner's devices."""

    name: str
    slug: str
    cpu: bool = False


# by the last part of timm's `cu128-4090`, `cpu-i7_12700h`; GPUs from the oldest on, CPUs last
HARDWARE = {
    "rtx3090": Hardware("RTX 3090", "rtx-3090"),
    "rtx4090": Hardware("RTX 4090", "rtx-4090"),
    "4090": Hardware("RTX 4090", "rtx-4090"),
    "5090": Hardware("RTX 5090", "rtx-5090"),
    "pro6000maxq": Hardware("RTX PRO 6000 Max-Q", "rtx-pro-6000-maxq"),
    "i7_12700h": Hardware("i7-12700H", "i7-12700h", cpu=True),
    "i9_10940x": Hardware("i9-10940X", "i9-10940x", cpu=True),
}


def hardware(device: str) -> Hardware:
    """That of timm's `device`. InputError for one that is not in the list above.

    >>> hardware("cu128-4090").name, hardware("cpu-i7_12700h").cpu
    ('RTX 4090', True)
    """
    name = device.partition("-")[2]
    if name not in HARDWARE:
        raise InputError(
            f"timm_benchmarks.csv: device {device!r} is not known; "
            "add it to fastscale/references/devices.py"
        )
    return HARDWARE[name]


def torch_version(text: str) -> str:
    """What timm's `pt113` and `pt291` stand for: before torch 2 the patch is left out.

    >>> torch_version("pt113"), torch_version("pt291")
    ('1.13', '2.9.1')
    """
    digits = text.removeprefix("pt")
    if len(digits) != 3 or not digits.isdecimal():
        raise InputError(f"timm_benchmarks.csv: torch {text!r} is not known; expected pt291")
    return f"1.{digits[1:]}" if digits[0] == "1" else ".".join(digits)
