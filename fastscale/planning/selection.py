"""Which terms a law needs: from acts on, term by term, what lowers the error on bases left out.

The rules by group width in the pool were written after all of the H100's families had been seen, so
a fold must choose among rules by itself: what it chose, and what that made of the family it had not
seen, is in the table `runtime-law` and on the page `device-time`.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fastscale.planning.fit import matrix, nnls
from fastscale.planning.law import POOL, Observation

WORTH = 0.95  # a term is taken where it leaves less than this share of the error
LEAST = 20  # scaled networks, of two bases or more: of fewer, nothing can be learnt about terms


@lru_cache(maxsize=256)
def selection(observations: tuple[Observation, ...]) -> tuple[str, ...]:
    """Terms of POOL in the order taken, acts first. Nothing where too few networks are scaled."""
    bases = np.array([o.base for o in observations])
    scaled = sum(o.strategy != "none" for o in observations)
    if scaled < LEAST or len(set(bases)) < 2:
        return ()
    x, times = matrix(observations, POOL), np.array([o.image_time_s for o in observations])
    relative = x / np.where(x.max(0) > 0, x.max(0), 1.0) / times[:, None]
    folds = [bases != base for base in sorted(set(bases))]
    useful = [i for i in range(1, len(POOL)) if x[:, i].max() > 0]
    chosen = [0]
    error = _error(relative, folds, chosen)
    while useful:
        errors = {i: _error(relative, folds, [*chosen, i]) for i in useful}
        least = min(errors.values())
        best = next(i for i in useful if errors[i] <= least * (1 + 1e-6))  # of equal ones the first
        if not errors[best] < WORTH * error:
            break
        chosen.append(best)
        useful.remove(best)
        error = errors[best]
    return tuple(POOL[i] for i in chosen)


def _error(relative: np.ndarray, folds: Sequence[np.ndarray], columns: list[int]) -> float:
    """The mean of |log(predicted / measured)| over bases left out; terms divided by the times."""
    x, total = relative[:, columns], 0.0
    for kept in folds:
        if kept.sum() > len(columns):
            found = nnls(x[kept], np.ones(int(kept.sum())))
            total += float(np.abs(np.log(np.maximum(x[~kept] @ found, 1e-9))).sum())
    return total / len(relative)
