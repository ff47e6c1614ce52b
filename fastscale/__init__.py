"""fastscale: "Fast and Accurate Model Scaling" (Dollár, Singh, Girshick, CVPR 2021) reproduced.

`import fastscale` is light: a name imports its module when it is first used, and torch and
Lightning are imported by the functions that need them.
"""

from typing import TYPE_CHECKING

from fastscale.lazy import lazy

if TYPE_CHECKING:
    from fastscale import plot
    from fastscale.api import (
        arch,
        build,
        complexity,
        list_archs,
        list_checkpoints,
        list_devices,
        list_recipes,
        list_strategies,
        load,
        plan,
        predict_time,
        records,
        scale,
        scale_to,
        transforms,
    )
    from fastscale.archs import AnyNet, Arch, EffNet, RegNet, register_arch, register_family
    from fastscale.counts import Complexity
    from fastscale.errors import InputError
    from fastscale.scaling import ScaledTo, Strategy, register_strategy

__version__ = "0.1.0"

__all__ = [
    "AnyNet",
    "Arch",
    "Complexity",
    "EffNet",
    "InputError",
    "RegNet",
    "ScaledTo",
    "Strategy",
    "arch",
    "build",
    "complexity",
    "list_archs",
    "list_checkpoints",
    "list_devices",
    "list_recipes",
    "list_strategies",
    "load",
    "plan",
    "plot",
    "predict_time",
    "records",
    "register_arch",
    "register_family",
    "register_strategy",
    "scale",
    "scale_to",
    "transforms",
]

_ELSEWHERE = {
    # `records` is a package that can be called: `fs.records()`, `fs.records.key`
    "": ("plot", "records"),
    "archs": ("AnyNet", "Arch", "EffNet", "RegNet", "register_arch", "register_family"),
    "counts": ("Complexity",),
    "errors": ("InputError",),
    "scaling": ("ScaledTo", "Strategy", "register_strategy"),
}
_there = {name for names in _ELSEWHERE.values() for name in names}
_HOMES = {"api": [name for name in __all__ if name not in _there], **_ELSEWHERE}
__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
