"""The order in which a grid is measured, such that what was measured when time is up covers families, strategies and sizes evenly."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from fastscale.archs.names import NetworkName
from fastscale.scaling import arch_named
from fastscale.timing.grid import Part

Item = TypeVar("Item")


def even_order(networks: Sequence[NetworkName]) -> list[NetworkName]:
    """The networks, each time one of the base measured least, of its strategy measured least, farthest in size from what is there.

    So after any number of networks, bases with networks left differ by one at most in how many they have; the unscaled ones come first,
    and a strategy's smallest and largest before those between them.
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
            own = [
                abs(_size(n) - _size(c))
                for c in chosen
                if (c.base, c.strategy) == (n.base, n.strategy)
            ]
            family = [abs(_size(n) - _size(c)) for c in chosen if c.base == n.base]
            scaled = n.strategy is not None
            counts = bases[n.base], scaled, strategies[n.base, n.strategy], anywhere[n.strategy]
            return (
                *counts,
                -min(own, default=math.inf),
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
    """Stage by stage; in a stage all parts side by side, each in its even order, pairs
    as they are listed.

    `compiled_last`: EfficientNets at the end of their stage. For their depthwise convolutions
    cuDNN compiles kernels at run time, 7 to 9 seconds a network whose shapes are not there yet.
    """
    found: list[tuple[Part, NetworkName]] = []
    for stage in sorted({part.stage for part in parts}):
        own = [part for part in parts if part.stage == stage]
        pairs = merged([[(part, n) for n in _in_turn(part)] for part in own])
        if compiled_last:
            pairs.sort(key=lambda pair: arch_named(pair[1].name).family == "EfficientNet")
        found += pairs
    return found


def _in_turn(part: Part) -> Sequence[NetworkName]:
    """Pairs as they are listed, all others in an even order."""
    return part.networks if part.in_order else even_order(part.networks)


def merged(lists: Sequence[Sequence[Item]]) -> list[Item]:
    """All items, each list in its own order, such that at any time the same share of each has been taken; the first of equals first."""
    keyed = [
        ((i + 1) / len(items), number, item)
        for number, items in enumerate(lists)
        for i, item in enumerate(items)
    ]
    return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]


def _size(network: NetworkName) -> float:
    return math.log2(network.factor)
