"""Tests of a paired difference: equivalence within a margin by two one-sided t tests (Schuirmann
1987), one-sided difference, and what so many pairs can show (power), said before anything is
trained.
"""

import math

from fastscale.paper.stats import LEVEL, Estimate

ALPHA = 0.05  # of each of the two one-sided tests
HALF_OUTSIDE = (1 - LEVEL) / 2  # of a test whose interval of LEVEL lies above 0
TWO_ONE_SIDED = 1 - 2 * ALPHA  # the level of the interval that lies within the margin then
POWER = 0.8


def equivalent(found: Estimate, margin: float) -> float:
    """The p value of "the difference is not within ±margin": the larger of two one-sided t tests.

    It is at most ALPHA exactly where the 90 % interval lies within the margin.
    """
    return max(_upper(found, found.mean + margin), _upper(found, margin - found.mean))


def above(found: Estimate, bound: float = 0.0) -> float:
    """The p value of "the difference is not above `bound`", by a one-sided t test."""
    return _upper(found, found.mean - bound)


def _upper(found: Estimate, distance: float) -> float:
    if not found.error:
        return 0.0 if distance > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(found.free, -distance / found.error))


def shows_difference(
    difference: float, spread: float, pairs: int, strata: int = 1, alpha: float = ALPHA
) -> float:
    """The chance that a true difference is found to be above 0, by a one-sided t test at `alpha`.

    `spread`: standard deviation of a pair's difference; `pairs` in each of `strata`. nan: no pairs
    to tell a spread from.
    """
    free, error = _design(spread, pairs, strata)
    if free < 1:
        return math.nan
    from scipy.special import nctdtr, stdtrit

    return 1 - float(nctdtr(free, difference / error, stdtrit(free, 1 - alpha)))


def shows_equivalence(margin: float, spread: float, pairs: int, strata: int = 1) -> float:
    """The chance at least that two one-sided tests show equivalence where there is no difference
    (Bonferroni's bound, which is close where the chance is large)."""
    return max(0.0, 2 * shows_difference(margin, spread, pairs, strata) - 1)


def detectable(spread: float, pairs: int, strata: int = 1, alpha: float = ALPHA) -> float:
    """The true difference that is found with a chance of POWER: the smallest that so many pairs can
    show. nan: see `shows_difference`."""
    free, error = _design(spread, pairs, strata)
    if free < 1:
        return math.nan
    from scipy.special import nctdtrinc, stdtrit

    return error * float(nctdtrinc(free, 1 - POWER, stdtrit(free, 1 - alpha)))


def _design(spread: float, pairs: int, strata: int) -> tuple[int, float]:
    return strata * (pairs - 1), spread / math.sqrt(strata * pairs)
