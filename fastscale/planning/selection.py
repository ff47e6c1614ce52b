"""Which terms a law needs: acts, then each term that lowers the error on left-out bases.

The pool's rules by group width were written after seeing all of the H100's families. So each fold
chooses its terms itself; the table `runtime-law` and the page `device-time` show its choice and
its error on the family left out.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fastscale.planning.fit import matrix, nnls
from fastscale.planning.law import POOL, Observation

WORTH = 0.95  # a term is taken if it leaves less than this share of the error
LEAST = 20  # scaled networks, of two bases or more: fewer say nothing about terms


@lru_cache(maxsize=256)
def selection(observations: tuple[Observation, ...]) -> tuple[str, ...]:
    """Terms of POOL in the order taken, acts first. Empty if too few networks are scaled."""
    bases = np.array([o.base for o in observations])
    scaled = sum(o.strategy != "none" for o in observations)
    if scaled < LEAST or len(set(bases)) < 2:
        return ()
    x, times = matrix(observations, POOL), np.array([o.image_time_s for o in observations])
    relative = x / np.where(x.max(0) > 0, x.max(0), 1.0) / times[:, None]
    folds = [_Fold(relative, bases != base) for base in sorted(set(bases))]
    useful = [i for i in range(1, len(POOL)) if x[:, i].max() > 0]
    chosen = [0]
    error, above = _error(folds, chosen)
    while useful:
        found = {i: _error(folds, [*chosen, i], above) for i in useful}
        least = min(e for e, _ in found.values())
        best = next(i for i in useful if found[i][0] <= least * (1 + 1e-6))  # the first of equals
        if not found[best][0] < WORTH * error:
            break
        chosen.append(best)
        useful.remove(best)
        error, above = found[best]
    return tuple(POOL[i] for i in chosen)


class _Fold:
    """Terms divided by times, for the fitted networks and the left-out ones.

    The fitted ones are kept as the triangle of a QR decomposition, shared by all column choices.
    """

    def __init__(self, relative: np.ndarray, kept: np.ndarray) -> None:
        self.fitted = int(kept.sum())
        q, self.triangle = np.linalg.qr(relative[kept])
        self.wanted = q.sum(0)  # Q'1: each network's time, divided by itself
        self.left_out = relative[~kept]


def _error(
    folds: Sequence[_Fold], columns: list[int], above: Sequence[np.ndarray] = ()
) -> tuple[float, list[np.ndarray]]:
    """(mean |log(predicted / measured)| over left-out bases, coefficients above 0 by fold).

    `above`: the latter without the last column, to start from.
    """
    total, solved = 0.0, []
    for k, fold in enumerate(folds):
        found = np.zeros(len(columns))
        if fold.fitted > len(columns):
            start = np.append(above[k], False) if above else None
            found = nnls(fold.triangle[:, columns], fold.wanted, start)
            total += float(
                np.abs(np.log(np.maximum(fold.left_out[:, columns] @ found, 1e-9))).sum()
            )
        solved.append(found > 0)
    return total / sum(len(fold.left_out) for fold in folds), solved
