"""FFCV without torch, for the loader's own process: what it computes there needs none, and torch takes seconds and 150 MB of memory.

FFCV 1.0.2 imports torch, asks it whether there is a GPU, and names its types and base classes. A stand-in answers that: no GPU. Where
another FFCV asks for more, it fails at once, and the real torch is imported.
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
    """Stands for any class, type or function of torch's; it may be named and inherited from."""

    def __init__(self, *_: Any, **__: Any):
        pass


class _Device(str):
    """A device is its name."""

    @property
    def type(self) -> str:
        """The same."""
        return str(self)


class _StandIn(types.ModuleType):
    """A module of torch's in which every name is there."""

    __path__: list[str] = []  # noqa: RUF012  (a package, so that its modules can be imported)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name


def stand_in() -> None:
    """From now on `import torch` gives the stand-in."""
    for name in NAMES:
        sys.modules[name] = _StandIn(name)
    torch: Any = sys.modules["torch"]
    torch.cuda, torch.nn, torch.utils = (sys.modules[f"torch.{x}"] for x in ("cuda", "nn", "utils"))
    torch.cuda.is_available = lambda: False
    torch.device = _Device
    torch.get_num_threads = lambda: 1
    torch.set_num_threads = lambda threads: None


def take_away() -> None:
    """The next import is of the real torch, and of an FFCV that sees it."""
    ours = [f"fastscale.data.ffcv_{part}" for part in ("decoder", "loader")]
    for name in [*ours, *NAMES, *(n for n in sys.modules if n.split(".")[0] == "ffcv")]:
        sys.modules.pop(name, None)
