"""Fits a law by least squares of log(predicted / measured): each network has equal weight.

Each Newton step is a non-negative least-squares problem.
"""

from collections.abc import Sequence

import numpy as np

from fastscale.errors import InputError
from fastscale.planning.law import LAWS, SELECTED, Law, Observation, value

_STEPS, _SETTLED = 200, 1e-11  # small enough that tables are the same on every machine


def fit(observations: Sequence[Observation], law: str | Sequence[str] = "full") -> Law:
    """The coefficients of a law of LAWS, or of one with these terms.

    InputError if there are no more observations than terms.
    """
    names = LAWS[law] if isinstance(law, str) else law
    if len(observations) <= len(names):
        raise InputError(
            f"{len(observations)} measured networks are too few for a law of {len(names)} terms: "
            f"measure {len(names) + 1} or more"
        )
    x = matrix(observations, names)
    t = np.array([o.image_time_s for o in observations])
    # a term that is zero everywhere (no grouped convs) stays at zero
    scale = np.where(x.max(0) > 0, x.max(0), 1.0)
    found = _fit_log(x / scale, t) / scale
    name = law if isinstance(law, str) else SELECTED
    return Law(name, dict(zip(names, map(float, found), strict=True)))


def matrix(observations: Sequence[Observation], names: Sequence[str]) -> np.ndarray:
    """One row for each observation, one column for each term."""
    return np.array([[value(name, o.terms, o.batch) for name in names] for o in observations])


def power_law(xs: Sequence[float], ts: Sequence[float]) -> tuple[float, float]:
    """(c, p) of t = c x^p, by a straight line in log-log."""
    p, log_c = np.polyfit(np.log(xs), np.log(ts), 1)
    return float(np.exp(log_c)), float(p)


def _fit_log(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Coefficients >= 0 of least squared log error; the columns of `x` have similar scale."""
    every = np.ones(x.shape[1], bool)
    best = nnls(x / t[:, None], np.ones(len(t)), every)  # least relative error: near the solution
    error = _log_error(x, t, best)
    for _ in range(_STEPS):
        predicted = x @ best
        off = np.log(predicted / t)
        weight = np.sqrt(np.maximum(1 - off, 0.1))  # from the second derivative of log^2
        wanted = nnls(x * (weight / predicted)[:, None], weight - off / weight, best > 0)
        step = 1.0
        while step > 1e-4 and _log_error(x, t, best + step * (wanted - best)) > error * (1 + 1e-12):
            step /= 2
        best = best + step * (wanted - best)
        error = _log_error(x, t, best)
        if np.abs(np.log(x @ best / predicted)).max() < _SETTLED:
            break
    return best


def nnls(a: np.ndarray, b: np.ndarray, free: np.ndarray | None = None) -> np.ndarray:
    """The x >= 0 that minimises |a x - b|, by Lawson and Hanson's active sets (1974, ch. 23).

    `free`: a guess of which x are above 0, which saves time. Not scipy's: its import takes most of
    a second, for a matrix of five columns.
    """
    least = 10 * max(a.shape) * np.finfo(float).eps * abs(a).sum(0).max()
    free = np.zeros(a.shape[1], bool) if free is None else free
    while ((x := _solved(a, b, free))[free] <= 0).any():
        free = free & (x > 0)
    for _ in range(3 * len(x)):
        gain = np.where(free, -np.inf, a.T @ (b - a @ x))
        if gain.max() <= least:
            break
        free = free.copy()
        free[np.argmax(gain >= gain.max() * (1 - 1e-9))] = True  # of equal columns the first
        while (below := free & ((found := _solved(a, b, free)) <= 0)).any():
            x = x + (x[below] / (x[below] - found[below])).min() * (found - x)
            free &= x > least
        x = found
    return x


def _solved(a: np.ndarray, b: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Least squares over the free columns; 0 elsewhere."""
    found = np.zeros(a.shape[1])
    if free.any():
        found[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
    return found


def _log_error(x: np.ndarray, t: np.ndarray, theta: np.ndarray) -> float:
    return float((np.log(x @ theta / t) ** 2).sum())
