"""FFCV without torch, for the loader process, which does not need torch's seconds and 150 MB.

FFCV 1.0.2 imports torch, asks whether there is a GPU, and names types and base classes. A stand-in
answers: no GPU. If another version of FFCV asks for more, it fails at once and the real torch is
imported.
"""

from __future__ import annotations

import sys
import types
from typing import Any

NAMES = (
    "torch",
    "torch.utils",
    "torch.utils.data",
    "torch.nn",
    "torch.nn.functional",
    "torch.cuda",
)


class _Name:
    """Stands for any class, type or function of torch, and can be a base class."""

    def __init__(self, *_: Any, **__: Any):
        pass


class _Device(str):
    """A device is its name."""

    @property
    def type(self) -> str:
        return str(self)


class _StandIn(types.ModuleType):
    """A torch module that has every name."""

    __path__: list[str] = []  # noqa: RUF012  (a package, so that its modules can be imported)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name


def stand_in() -> None:
    """Make `import torch` return the stand-in."""
    for name in NAMES:
        sys.modules[name] = _StandIn(name)
    torch: Any = sys.modules["torch"]
    torch.cuda, torch.nn, torch.utils = (sys.modules[f"torch.{x}"] for x in ("cuda", "nn", "utils"))
    torch.cuda.is_available = lambda: False
    torch.device = _Device
    torch.get_num_threads = lambda: 1
    torch.set_num_threads = lambda threads: None


def take_away() -> None:
    """Make the next imports load the real torch, and FFCV with it."""
    ours = [f"fastscale.data.ffcv_{part}" for part in ("decoder", "loader")]
    for name in [*ours, *NAMES, *(n for n in sys.modules if n.split(".")[0] == "ffcv")]:
        sys.modules.pop(name, None)
