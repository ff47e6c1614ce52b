"""Names of devices and of torch versions in timm's benchmark tables, and short names of GPUs."""

import re
from typing import NamedTuple

from fastscale.errors import InputError


class Hardware(NamedTuple):
    """A GPU or a CPU."""

    name: str  # the maker's
    slug: str  # the planner's
    cpu: bool = False


# by the last part of timm's `cu128-4090`, `cpu-i7_12700h`; GPUs by age, then CPUs
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
    """The hardware of timm's `device`. InputError for one that is not in the list above.

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


# in torch's name of a GPU: its makers, and the first word of its memory, slot or edition
_MAKERS = ("nvidia", "tesla", "geforce", "quadro")
_EDITION = re.compile(r"\d+gb|sxm\d*|pcie|hbm\d\w*|nvl|mig")


def short_name(device: str) -> str:
    """The shortest name that identifies a GPU, in lower case.

    >>> short_name("NVIDIA H100 80GB HBM3"), short_name("NVIDIA GeForce RTX 4090")
    ('h100', 'rtx-4090')
    >>> short_name("AMD EPYC")
    'amd-epyc'
    """
    words = re.findall(r"[a-z0-9]+", device.lower())
    kept = [word for word in words if word not in _MAKERS]
    end = next((i for i, word in enumerate(kept) if i and _EDITION.fullmatch(word)), None)
    return "-".join(kept[:end])


def torch_version(text: str) -> str:
    """The version that timm writes as `pt113` or `pt291`; before torch 2 it leaves out the patch.

    >>> torch_version("pt113"), torch_version("pt291")
    ('1.13', '2.9.1')
    """
    digits = text.removeprefix("pt")
    if len(digits) != 3 or not digits.isdecimal():
        raise InputError(f"timm_benchmarks.csv: torch {text!r} is not known; expected pt291")
    return f"1.{digits[1:]}" if digits[0] == "1" else ".".join(digits)
