"""Scaling: strategies, their closed-form exponents (Tables 1 to 4), `scale` and `scale_to`."""

from fastscale.scaling.exponents import Exponents
from fastscale.scaling.scale import arch_named, network_of, own_definition, scale
from fastscale.scaling.scale_to import ScaledTo, scale_to
from fastscale.scaling.strategy import (
    PAPER_STRATEGIES,
    ROUNDINGS,
    Strategy,
    register_strategy,
    strategy_names,
)
from fastscale.scaling.twin import twin

__all__ = [
    "PAPER_STRATEGIES",
    "ROUNDINGS",
    "Exponents",
    "ScaledTo",
    "Strategy",
    "arch_named",
    "network_of",
    "own_definition",
    "register_strategy",
    "scale",
    "scale_to",
    "strategy_names",
    "twin",
]
