"""Tests of a paired difference, and their power, which is stated before training.

Equivalence within a margin by two one-sided t tests (Schuirmann 1987), and difference by a
one-sided t test.
"""

import math

from fastscale.paper.stats import LEVEL, Estimate

ALPHA = 0.05  # of each of the two one-sided tests
HALF_OUTSIDE = (1 - LEVEL) / 2  # of a one-sided test that matches the interval of LEVEL
TWO_ONE_SIDED = 1 - 2 * ALPHA  # level of the interval that matches the two one-sided tests
POWER = 0.8


def equivalent(found: Estimate, margin: float) -> float:
    """The p value of "the difference is not within ±margin": the larger of two one-sided t tests.

    It is at most ALPHA exactly if the 90 % interval lies within the margin.
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
    """The chance that a one-sided t test at `alpha` finds a true difference to be above 0.

    `spread` is the standard deviation of a pair's difference; each of `strata` has `pairs`. nan if
    there are too few pairs for a spread.
    """
    free, error = _design(spread, pairs, strata)
    if free < 1:
        return math.nan
    from scipy.special import nctdtr, stdtrit

    return 1 - float(nctdtr(free, difference / error, stdtrit(free, 1 - alpha)))


def shows_equivalence(margin: float, spread: float, pairs: int, strata: int = 1) -> float:
    """A lower bound of the chance that two one-sided tests show equivalence of equal strategies.

    It is Bonferroni's bound, which is tight if the chance is large.
    """
    return max(0.0, 2 * shows_difference(margin, spread, pairs, strata) - 1)


def detectable(spread: float, pairs: int, strata: int = 1, alpha: float = ALPHA) -> float:
    """The smallest true difference that is found with a chance of POWER; see `shows_difference`."""
    free, error = _design(spread, pairs, strata)
    if free < 1:
        return math.nan
    from scipy.special import nctdtrinc, stdtrit

    return error * float(nctdtrinc(free, 1 - POWER, stdtrit(free, 1 - alpha)))


def _design(spread: float, pairs: int, strata: int) -> tuple[int, float]:
    return strata * (pairs - 1), spread / math.sqrt(strata * pairs)
