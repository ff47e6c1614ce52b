"""How far a law can be trusted: fitted without a whole family (or a whole strategy), what does it say of that family?

Laws are compared by the median of |predicted / measured - 1| over networks whose group took no part in the fit; the interval of a
prediction is the 90 % quantile of |log(predicted / measured)| over the same.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache

from fastscale.planning.fit import fit, power_law
from fastscale.planning.law import LAWS, ONE_FEATURE, Law, Observation

GROUPS = ("family", "strategy")
COVERAGE = 0.9
POWER = "^p"  # "acts^p": a power of one count, fitted in log-log
_WORTH = 0.9  # a law with more terms is taken where it leaves less than this share of the plain one's error
_NOTHING = 1e-3  # and an error of a thousandth is none


def left_out(observations: Sequence[Observation], law: str, group: str) -> list[float]:
    """log(predicted / measured) of each observation by the law fitted without all of its `group`.

    Empty where there are fewer than two groups, or one of them is nearly all there is.
    """
    return list(_left_out(tuple(observations), law, group))


@lru_cache(maxsize=1024)
def _left_out(observations: tuple[Observation, ...], law: str, group: str) -> tuple[float, ...]:
    groups = sorted({getattr(o, group) for o in observations})
    kept = {name: [o for o in observations if getattr(o, group) != name] for name in groups}
    if len(groups) < 2 or min(map(len, kept.values())) <= len(LAWS["split"]):
        return ()
    predict = {name: predictor(kept[name], law) for name in groups}
    return tuple(math.log(predict[getattr(o, group)](o) / o.image_time_s) for o in observations)


def predictor(observations: Sequence[Observation], law: str) -> Callable[[Observation], float]:
    """Seconds an image by the law fitted to `observations`."""
    if law.endswith(POWER):
        count = law.removesuffix(POWER)
        c, p = power_law(
            [getattr(o.terms, count) for o in observations], [o.image_time_s for o in observations]
        )
        return lambda o: c * getattr(o.terms, count) ** p
    fitted = fit(observations, law)
    return lambda o: fitted.image_time_s(o.terms, o.batch)


def median_error(logs: Sequence[float]) -> float | None:
    """The median of |predicted / measured - 1|; None of nothing."""
    return statistics.median(abs(math.expm1(x)) for x in logs) if logs else None


def spread(logs: Sequence[float]) -> float | None:
    """The factor within which a share COVERAGE of all networks lies, as a log: its 90 % quantile, rounded up; None of nothing."""
    if not logs:
        return None
    ordered = sorted(map(abs, logs))
    return ordered[min(len(ordered), math.ceil(COVERAGE * (len(ordered) + 1))) - 1]


def law_errors(observations: Sequence[Observation], group: str) -> dict[str, float]:
    """Median error of each law on left-out groups: "full", "split", and by one count the better of a straight line and a power.

    Empty where there are not enough groups.
    """
    errors = {
        law: median_error(left_out(observations, law, group))
        for law in (*LAWS, *(f"{count}{POWER}" for count in ONE_FEATURE))
    }
    known = {law: error for law, error in errors.items() if error is not None}
    better = {
        count: min(known[count], known[f"{count}{POWER}"])
        for count in ONE_FEATURE
        if count in known
    }
    return {law: error for law, error in known.items() if not law.endswith(POWER)} | better


def choose(observations: Sequence[Observation]) -> tuple[Law, dict[str, float]]:
    """(the fitted law, spread by group): "full", or "split" where leaving groups out shows it clearly better.

    Where there are no groups, single networks are left out.
    """
    groups = [group for group in GROUPS if left_out(observations, "full", group)] or ["network"]
    logs = {
        law: {group: left_out(observations, law, group) for group in groups}
        for law in ("full", "split")
    }
    errors = {
        law: [e for found in logs[law].values() if (e := median_error(found)) is not None]
        for law in logs
    }
    best = (
        "split"
        if errors["full"] and sum(errors["split"]) + _NOTHING < _WORTH * sum(errors["full"])
        else "full"
    )
    spreads = {group: s for group, found in logs[best].items() if (s := spread(found)) is not None}
    return fit(observations, best), spreads
