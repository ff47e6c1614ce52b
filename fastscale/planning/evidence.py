"""What is known about accuracy, and the order of recommendation that follows from it.

Nothing here predicts an error: these are measured differences. Strategies that grow depth, width
and resolution together are equally accurate at equal flops (the paper's Fig. 6, alpha from 1/3 to
4/5); one dimension alone loses accuracy (Fig. 4: d, w, r against dwr). Width alone affords the most
flops in a given time, so ranking by flops would always recommend it.

The numbers come from `paper_figures/reference/paper_points.csv` and
`paper_figures/figures/evidence-cifar10-differences.csv`; a test recomputes them.
"""

import math
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from fastscale.scaling import Strategy

LEAST_SHARE = Fraction(1, 20)  # of s: with less, a dimension hardly grows
LARGEST_FACTOR = 96.0  # the paper's largest (Fig. 2)
TOGETHER = "dwr"  # depth, width and resolution


class Finding(NamedTuple):
    """Top-1 error in points above uniform compound scaling, by the dimensions that grow.

    `paper`: (points, factor, figure), EfficientNet-B0 on ImageNet, single runs. `ours`: (points,
    size, whether its 95 % interval excludes 0), small networks trained on CIFAR-10 for 2 epochs.
    """

    what: str
    paper: tuple[float, float, int] | None
    ours: tuple[tuple[float, str, bool], ...]

    def __str__(self) -> str:
        if self.paper:
            points, factor, figure = self.paper
            published = (
                f"{points:.1f} points more error than uniform scaling at x{factor:g} in the paper "
                f"(Fig. {figure})"
            )
        else:
            published = "no published error"
        ours = (
            f"{points:+.1f} at {size}" + " (undecided)" * (not sure)
            for points, size, sure in self.ours
        )
        return f"{self.what} alone: {published}; in our small runs {', '.join(ours)}"


FINDINGS = {
    "d": Finding("depth", (0.34, 5.02, 4), ((2.6, "x2", True), (8.0, "x4", True))),
    "w": Finding("width", (0.70, 11.0, 4), ((-1.7, "x2", True), (1.2, "x4", False))),
    "r": Finding("resolution", (1.44, 5.02, 4), ((-4.8, "x2", True), (-3.8, "x4", True))),
    "dw": Finding("depth and width", None, ((-0.4, "x2", False), (3.9, "x4", True))),
}
# alpha = 2/3 and dWr against dwr, all at x11 (Fig. 6)
AS_ACCURATE = "as accurate as uniform scaling within 0.2 points at x11 in the paper (Fig. 6)"
# (flops in G multiply-adds, top-1 error) after 100 epochs, one recipe: Xiao et al. 2021, Table 2
LADDERS = {
    "RegNetY": ((1.0, 23.2), (4.1, 19.4), (15.5, 17.1), (31.1, 16.2)),
    "RegNetZ": ((1.0, 20.8), (4.0, 17.4), (16.0, 16.0), (32.0, 16.3)),
    "EfficientNet": ((1.0, 21.4), (4.4, 18.5), (10.3, 17.3)),
}
_REACH = 1.25  # a ladder's ends stand for sizes up to this many times beyond them


def grown(strategy: str | Strategy) -> str:
    """The dimensions that grow, as letters.

    >>> grown("dWr"), grown("wg"), grown("d1_w99_g99_r1")
    ('dwr', 'w', 'w')
    """
    s = Strategy.parse(strategy)
    shares = (("d", s.depth), ("w", s.width), ("r", s.resolution))
    return "".join(letter for letter, share in shares if share >= LEAST_SHARE)


def rank(strategy: str | Strategy) -> int:
    """1 if three dimensions grow, 2 for two, 3 for one.

    >>> [rank(s) for s in ("dWr", "dwgr", "alpha=2/3", "dw", "wg", "alpha=1", "d1_w99_g99_r1")]
    [1, 1, 1, 2, 3, 3, 3]
    """
    return 4 - len(grown(strategy))


def of_strategy(strategy: str) -> str:
    """What is known about a strategy's accuracy, in one line."""
    found = grown(strategy)
    if found == TOGETHER:
        return AS_ACCURATE
    alone = f"{' and '.join(found)} alone: no known error"
    return str(FINDINGS[found]) if found in FINDINGS else alone


def published_error(family: str, flops: float) -> float | None:
    """Published top-1 error (%) on ImageNet for this family and size, after 100 epochs.

    Between two published sizes: linear in log flops. None for other families and sizes.

    >>> published_error("RegNetZ", 4.0e9), published_error("RegNetZ", 100e9)
    (17.4, None)
    """
    ladder = LADDERS.get(family, ())
    size = flops / 1e9
    if not ladder or not ladder[0][0] / _REACH <= size <= ladder[-1][0] * _REACH:
        return None
    size = min(max(size, ladder[0][0]), ladder[-1][0])
    for (low, above), (high, below) in pairwise(ladder):
        if size <= high:
            share = math.log(size / low) / math.log(high / low)
            return above + share * (below - above)
    raise AssertionError(size)
