"""Statistics: means of runs, Pearson's r with its line, intervals of paired differences."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_POINTS = 3  # two points always correlate perfectly
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean difference in points of error, with its confidence interval at LEVEL."""

    mean: float
    low: float
    high: float
    pairs: int  # of runs
    error: float = 0.0  # the standard error of the mean, with `free` degrees of freedom
    free: int = 0

    def interval(self, level: float) -> tuple[float, float]:
        """Student's interval at another level."""
        half = _quantile(self.free, 0.5 + level / 2) * self.error
        return self.mean - half, self.mean + half


def pearson(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """The linear correlation; None for fewer than three points or if one side does not vary."""
    if len(xs) != len(ys):
        raise ValueError(f"{len(xs)} and {len(ys)} values do not pair")
    if len(xs) < LEAST_POINTS or len(set(xs)) == 1 or len(set(ys)) == 1:
        return None
    return statistics.correlation(xs, ys)


def least_squares(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """(slope, intercept) of the least-squares line."""
    fit = statistics.linear_regression(xs, ys)
    return fit.slope, fit.intercept


def mean(values: Sequence[float]) -> float | None:
    """The mean; None without values."""
    return math.fsum(values) / len(values) if values else None


def deviation(values: Sequence[float]) -> float | None:
    """The sample standard deviation; None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def summary(values: Sequence[float]) -> tuple[float, float | None, int] | None:
    """(mean, sample standard deviation, n); None without values."""
    average = mean(values)
    return None if average is None else (average, deviation(values), len(values))


def estimate(strata: Sequence[Sequence[float]]) -> Estimate | None:
    """The mean of the strata's means, with Student's interval from the pooled variance within them.

    None if a stratum is empty, or if none has two values.
    """
    free = sum(len(values) - 1 for values in strata)
    if not strata or not all(strata) or free < 1:
        return None
    means = [math.fsum(values) / len(values) for values in strata]
    squares = math.fsum(
        (v - m) ** 2 for values, m in zip(strata, means, strict=True) for v in values
    )
    error = math.sqrt(squares / free * math.fsum(1 / len(values) for values in strata)) / len(
        strata
    )
    middle = math.fsum(means) / len(means)
    half = _quantile(free, 0.5 + LEVEL / 2) * error
    pairs = sum(map(len, strata))
    return Estimate(middle, middle - half, middle + half, pairs, error, free)


def _quantile(free: int, share: float) -> float:
    from scipy.special import stdtrit  # slow to import

    return float(stdtrit(free, share))
