"""What is known of accuracy, and in which order the planner therefore recommends.

It predicts no error: these are differences that were measured. Strategies that grow depth, width and
resolution together are alike at equal flops (the paper's Fig. 6, alpha from 1/3 to 4/5); one
dimension alone loses accuracy (Fig. 4: d, w, r against dwr). Width alone affords most flops in a
given time, so flops alone would always recommend it. The numbers are those of
`paper_figures/reference/paper_points.csv` and `paper_figures/figures/evidence-cifar10-differences.csv`;
a test computes them again.
"""

import math
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from fastscale.scaling import Strategy

LEAST_SHARE = Fraction(1, 20)  # of s: a dimension with less hardly grows
LARGEST_FACTOR = 96.0  # that the paper shows (Fig. 2)
TOGETHER = "dwr"  # depth, width and resolution


class Finding(NamedTuple):
    """Points of top-1 error more than uniform compound scaling, by the dimensions that grow.

    `paper`: (points, factor, figure), of EfficientNet-B0 on ImageNet, single runs. `ours`: (points,
    size, whether its 95 % interval leaves 0 out), of small networks trained on CIFAR-10 for 2 epochs.
    """

    what: str
    paper: tuple[float, float, int] | None
    ours: tuple[tuple[float, str, bool], ...]

    def __str__(self) -> str:
        said = [f"{self.what} alone"]
        if self.paper:
            points, factor, figure = self.paper
            said.append(
                f"{points:.1f} points more error than uniform scaling at x{factor:g} in the paper "
                f"(Fig. {figure})"
            )
        else:
            said.append("no error of it is published")
        ours = (
            f"{points:+.1f} at {size}" + " (undecided)" * (not sure)
            for points, size, sure in self.ours
        )
        said.append(f"in our small runs {', '.join(ours)}")
        return f"{said[0]}: {'; '.join(said[1:])}"


FINDINGS = {
    "d": Finding("depth", (0.34, 5.02, 4), ((2.6, "x2", True), (8.0, "x4", True))),
    "w": Finding("width", (0.70, 11.0, 4), ((-1.7, "x2", True), (1.2, "x4", False))),
    "r": Finding("resolution", (1.44, 5.02, 4), ((-4.8, "x2", True), (-3.8, "x4", True))),
    "dw": Finding("depth and width", None, ((-0.4, "x2", False), (3.9, "x4", True))),
}
# alpha = 2/3 and dWr at x11 less dwr there, points (Fig. 6)
ALIKE = "as accurate as uniform scaling within 0.2 points at x11 in the paper (Fig. 6)"
# (flops in G multiply-adds, top-1 error) after 100 epochs by one recipe: Xiao et al. 2021, Table 2
LADDERS = {
    "RegNetY": ((1.0, 23.2), (4.1, 19.4), (15.5, 17.1), (31.1, 16.2)),
    "RegNetZ": ((1.0, 20.8), (4.0, 17.4), (16.0, 16.0), (32.0, 16.3)),
    "EfficientNet": ((1.0, 21.4), (4.4, 18.5), (10.3, 17.3)),
}
_REACH = 1.25  # times beyond a ladder's ends


def grown(strategy: str | Strategy) -> str:
    """The dimensions that really grow, as letters.

    >>> grown("dWr"), grown("wg"), grown("d1_w99_g99_r1")
    ('dwr', 'w', 'w')
    """
    s = Strategy.parse(strategy)
    shares = (("d", s.depth), ("w", s.width), ("r", s.resolution))
    return "".join(letter for letter, share in shares if share >= LEAST_SHARE)


def rank(strategy: str | Strategy) -> int:
    """1 for three dimensions that grow, 2 for two, 3 for one.

    >>> [rank(s) for s in ("dWr", "dwgr", "alpha=2/3", "dw", "wg", "alpha=1", "d1_w99_g99_r1")]
    [1, 1, 1, 2, 3, 3, 3]
    """
    return 4 - len(grown(strategy))


def of_strategy(strategy: str) -> str:
    """What is known of the accuracy of networks made by it, in a line."""
    found = grown(strategy)
    if found == TOGETHER:
        return ALIKE
    alone = f"{' and '.join(found)} alone: no error of it is known"
    return str(FINDINGS[found]) if found in FINDINGS else alone


def published_error(family: str, flops: float) -> float | None:
    """Top-1 error (%) on ImageNet of networks of this family and size, after 100 epochs: between two
    published sizes on the line through them over log flops. None for other families and sizes.

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
