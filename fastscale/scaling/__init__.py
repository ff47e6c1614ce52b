"""How a network grows: strategies, their closed-form exponents (Tables 1-4), `scale` and `scale_to`."""

from fastscale.scaling.exponents import Exponents
from fastscale.scaling.names import RunName, arch_named, parse_run
from fastscale.scaling.scale import factor_text, scale
from fastscale.scaling.scale_to import ScaledTo, scale_to
from fastscale.scaling.strategy import PAPER_STRATEGIES, Strategy

__all__ = [
    "PAPER_STRATEGIES",
    "Exponents",
    "RunName",
    "ScaledTo",
    "Strategy",
    "arch_named",
    "factor_text",
    "parse_run",
    "scale",
    "scale_to",
]
