"""The order of a grid's measurements.

Whenever time ends, the networks measured cover families, strategies and sizes evenly.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from fastscale.archs.names import NetworkName
from fastscale.scaling import arch_named
from fastscale.timing.grid import Part

Item = TypeVar("Item")


def even_order(networks: Sequence[NetworkName]) -> list[NetworkName]:
    """The networks, each time from the least covered base and its least covered strategy.

    Of these, the one farthest in size from those already chosen. So at any point, the numbers of
    networks of bases that have some left differ by at most one. Unscaled networks come first, and a
    strategy's smallest and largest before those between.
    """
    left = list(networks)
    chosen: list[NetworkName] = []
    bases, strategies, sizes, anywhere = (
        Counter[str](),
        Counter[tuple](),
        Counter[tuple](),
        Counter[str | None](),
    )
    while left:

        def rank(n: NetworkName) -> tuple:
            same = [
                abs(_size(n) - _size(c))
                for c in chosen
                if (c.base, c.strategy) == (n.base, n.strategy)
            ]
            family = [abs(_size(n) - _size(c)) for c in chosen if c.base == n.base]
            scaled = n.strategy is not None
            counts = bases[n.base], scaled, strategies[n.base, n.strategy], anywhere[n.strategy]
            return (
                *counts,
                -min(same, default=math.inf),
                sizes[n.base, n.factor],
                -min(family, default=0.0),
            )

        best = min(left, key=rank)  # the first of equals: the grid's own order
        left.remove(best)
        chosen.append(best)
        bases[best.base] += 1
        strategies[best.base, best.strategy] += 1
        sizes[best.base, best.factor] += 1
        anywhere[best.strategy] += 1
    return chosen


def sweep_order(
    parts: Sequence[Part], compiled_last: bool = False
) -> list[tuple[Part, NetworkName]]:
    """Stage by stage, all parts of a stage side by side.

    `compiled_last`: EfficientNets at the end of their stage. For their depthwise convolutions
    cuDNN compiles kernels at run time, 7 to 9 seconds for a network with new shapes.
    """
    found: list[tuple[Part, NetworkName]] = []
    for stage in sorted({part.stage for part in parts}):
        staged = [part for part in parts if part.stage == stage]
        pairs = merged([[(part, n) for n in _ordered(part)] for part in staged])
        if compiled_last:
            pairs.sort(key=lambda pair: arch_named(pair[1].name).family == "EfficientNet")
        found += pairs
    return found


def _ordered(part: Part) -> Sequence[NetworkName]:
    """Pairs in the listed order, all others in an even order."""
    return part.networks if part.in_order else even_order(part.networks)


def merged(lists: Sequence[Sequence[Item]]) -> list[Item]:
    """All items, each list in its order, so that at any point the same share of each is taken."""
    keyed = [
        ((i + 1) / len(items), number, item)
        for number, items in enumerate(lists)
        for i, item in enumerate(items)
    ]
    return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]


def _size(network: NetworkName) -> float:
    return math.log2(network.factor)
