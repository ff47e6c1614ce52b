"""How far a law can be trusted: fitted without a family (or a strategy), how well it predicts it.

Laws are compared by the median of |predicted / measured - 1| over networks whose group was left out
of the fit. The interval of a prediction is the 90 % quantile of |log(predicted / measured)| over
the same networks.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from fastscale.planning.fit import fit, power_law
from fastscale.planning.law import LAWS, ONE_FEATURE, SELECTED, Law, Observation
from fastscale.planning.selection import selection

GROUPS = ("family", "strategy")
COVERAGE = 0.9
CHOICE = ("full", "split", SELECTED)  # a later one is taken if it is clearly better
POWER = "^p"  # "acts^p": a power of one count, fitted in log-log
_WORTH = 0.9  # a law with more terms is taken if it leaves less than this share of the error
_NOTHING = 1e-3  # an error below this counts as none
# Scaled bases that a law of selected terms needs. With three (v100), its median error on
# networks of other bases, which Xiao et al. timed, was 22 %; that of the full law was 12 %.
BASES = 4


def left_out(observations: Sequence[Observation], law: str, group: str) -> list[float]:
    """log(predicted / measured) of each observation by the law fitted without its `group`.

    Empty with fewer than two groups, or if one of them is nearly everything.
    """
    return list(_left_out(tuple(observations), law, group))


@lru_cache(maxsize=1024)
def _left_out(observations: tuple[Observation, ...], law: str, group: str) -> tuple[float, ...]:
    groups = sorted({getattr(o, group) for o in observations})
    kept = {name: [o for o in observations if getattr(o, group) != name] for name in groups}
    if law == SELECTED and not all(selection(tuple(rest)) for rest in kept.values()):
        return ()
    if len(groups) < 2 or min(map(len, kept.values())) <= len(LAWS["split"]):
        return ()
    predict = {name: predictor(kept[name], law) for name in groups}
    return tuple(math.log(predict[getattr(o, group)](o) / o.image_time_s) for o in observations)


def predictor(observations: Sequence[Observation], law: str) -> Callable[[Observation], float]:
    """The law fitted to `observations`, as a function: seconds an image."""
    if law.endswith(POWER):
        count = law.removesuffix(POWER)
        c, p = power_law(
            [getattr(o.terms, count) for o in observations], [o.image_time_s for o in observations]
        )
        return lambda o: c * getattr(o.terms, count) ** p
    fitted = fit(observations, selection(tuple(observations)) if law == SELECTED else law)
    return lambda o: fitted.image_time_s(o.terms, o.batch)


def median_error(logs: Sequence[float]) -> float | None:
    """The median of |predicted / measured - 1|; None without values."""
    return statistics.median(abs(math.expm1(x)) for x in logs) if logs else None


def spread(logs: Sequence[float]) -> float | None:
    """The log factor that holds a share COVERAGE of networks: the 90 % quantile, rounded up.

    None without values.
    """
    if not logs:
        return None
    ordered = sorted(map(abs, logs))
    return ordered[min(len(ordered), math.ceil(COVERAGE * (len(ordered) + 1))) - 1]


def law_errors(observations: Sequence[Observation], group: str) -> dict[str, float]:
    """Median error of each law on left-out groups; empty without enough groups.

    "full", "split", "selected" if its terms can be chosen, and for each single count the better of
    a straight line and a power.
    """
    errors = {
        law: median_error(left_out(observations, law, group))
        for law in (*LAWS, SELECTED, *(f"{count}{POWER}" for count in ONE_FEATURE))
    }
    known = {law: error for law, error in errors.items() if error is not None}
    better = {
        count: min(known[count], known[f"{count}{POWER}"])
        for count in ONE_FEATURE
        if count in known
    }
    return {law: error for law, error in known.items() if not law.endswith(POWER)} | better


def choose(observations: Sequence[Observation]) -> tuple[Law, dict[str, float]]:
    """(the fitted law, spread by group).

    The law is "full", or "split" or "selected" if that predicts left-out groups clearly better. The
    terms of "selected" are chosen without each group. Without groups, single networks are left out.
    """
    groups = [group for group in GROUPS if left_out(observations, "full", group)] or ["network"]
    logs = {law: {group: left_out(observations, law, group) for group in groups} for law in CHOICE}
    errors = {
        law: [e for found in logs[law].values() if (e := median_error(found)) is not None]
        for law in logs
    }
    best = CHOICE[0]
    bases = {o.base for o in observations if o.strategy != "none"}
    for law in CHOICE[1:] if len(bases) >= BASES else CHOICE[1:-1]:
        comparable = len(errors[law]) == len(errors[best]) > 0
        if comparable and sum(errors[law]) + _NOTHING < _WORTH * sum(errors[best]):
            best = law
    spreads = {group: s for group, found in logs[best].items() if (s := spread(found)) is not None}
    terms = selection(tuple(observations)) if best == SELECTED else best
    return fit(observations, terms), spreads


class Fold(NamedTuple):
    """A left-out group: the terms chosen without it and log(predicted / measured) of its networks.

    `interval`: the log factor of an interval that was also made without it, by leaving bases out.
    """

    left_out: str
    terms: tuple[str, ...]
    logs: tuple[float, ...]
    interval: float | None

    @property
    def held(self) -> int:
        """How many of its networks lie in that interval."""
        return sum(abs(log) <= (self.interval or 0.0) for log in self.logs)


def folds(observations: Sequence[Observation], group: str) -> list[Fold]:
    """The law of selected terms with each `group` left out of the fit, choice and interval.

    Empty if terms cannot be chosen without one of the groups.
    """
    logs = left_out(observations, SELECTED, group)
    found = []
    for name in sorted({getattr(o, group) for o in observations} if logs else ()):
        kept = tuple(o for o in observations if getattr(o, group) != name)
        left = tuple(
            log for log, o in zip(logs, observations, strict=True) if getattr(o, group) == name
        )
        interval = spread(left_out(kept, SELECTED, "base"))
        found.append(Fold(name, selection(kept), left, interval))
    return found
