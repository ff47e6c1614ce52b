"""Which ways of scaling the evidence supports: the planner recommends in this order.

The planner predicts no accuracy. What is known of it: strategies that grow depth, width and
resolution together are alike in accuracy at equal flops (the paper's Fig. 6, alpha from 1/3 to
4/5), and one dimension alone loses accuracy (Fig. 4: d, w, r against dwr). Width alone always
affords most flops in a given time, so flops alone would always recommend it.
"""

from fractions import Fraction

from fastscale.scaling import Strategy

LEAST_SHARE = Fraction(1, 20)  # of s: a dimension with less hardly grows
LARGEST_FACTOR = 96.0  # that the paper shows (Fig. 2)
WHY = (
    "First come strategies that grow depth, width and resolution together: the paper finds them "
    "alike in accuracy at equal flops (Fig. 6); then two dimensions; one alone comes last, however "
    "many multiply-adds it affords, for it loses accuracy (Fig. 4). Group widths held to powers of "
    "two (-pow2) come a rank later: what they cost in accuracy has not been measured."
)


def rank(strategy: str | Strategy) -> int:
    """1 for three dimensions that grow, 2 for two, 3 for one; one more where group widths are held to
    powers of two, whose errors nobody has published.

    >>> [rank(s) for s in ("dWr", "dwgr", "alpha=2/3", "dw", "wg", "alpha=1", "d1_w99_g99_r1")]
    [1, 1, 1, 2, 3, 3, 3]
    >>> rank("dWr-pow2")
    2
    """
    s = Strategy.parse(strategy)
    grown = sum(share >= LEAST_SHARE for share in (s.depth, s.width, s.resolution))
    return 4 - grown + (s.group_width_rounding != "paper")
