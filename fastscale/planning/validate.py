"""How far a law can be trusted: fitted without a whole family (or a whole strategy), what does it say of that family?

Laws are compared by the median of |predicted / measured - 1| over networks whose group took no part in the fit; the interval of a
prediction is the 90 % quantile of |log(predicted / measured)| over the same.
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
CHOICE = ("full", "split", SELECTED)  # a later one is taken where it is clearly better
POWER = "^p"  # "acts^p": a power of one count, fitted in log-log
_WORTH = 0.9  # a law with more terms is taken where it leaves less than this share of the plain one's error
_NOTHING = 1e-3  # and an error of a thousandth is none
# scaled ones that a law of selected terms needs: with three (v100) its error on networks of other
# bases, which Xiao et al. timed, was 22 % in the median, that of the full law 12 %
BASES = 4


def left_out(observations: Sequence[Observation], law: str, group: str) -> list[float]:
    """log(predicted / measured) of each observation by the law fitted without all of its `group`.

    Empty where there are fewer than two groups, or one of them is nearly all there is.
    """
    return list(_left_out(tuple(observations), law, group))


@lru_cache(maxsize=1024)
def _left_out(observations: tuple[Observation, ...], law: str, group: str) -> tuple[float, ...]:
    groups = sorted({getattr(o, group) for o in observations})
    kept = {name: [o for o in observations if getattr(o, group) != name] for name in groups}
    if law == SELECTED and not all(selection(tuple(own)) for own in kept.values()):
        return ()
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
    fitted = fit(observations, selection(tuple(observations)) if law == SELECTED else law)
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
    """Median error of each law on left-out groups: "full", "split", "selected" where its terms can be
    told, and by one count the better of a straight line and a power.

    Empty where there are not enough groups.
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
    """(the fitted law, spread by group): "full", or "split" or "selected" where leaving groups out
    shows it clearly better.

    The terms of "selected" are chosen without each group. Where there are no groups, single networks
    are left out.
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
        alike = len(errors[law]) == len(errors[best]) > 0
        if alike and sum(errors[law]) + _NOTHING < _WORTH * sum(errors[best]):
            best = law
    spreads = {group: s for group, found in logs[best].items() if (s := spread(found)) is not None}
    terms = selection(tuple(observations)) if best == SELECTED else best
    return fit(observations, terms), spreads


class Fold(NamedTuple):
    """A group that was left out: the terms chosen without it, log(predicted / measured) of its
    networks, and the log factor of an interval made without it too, by leaving bases out."""

    left_out: str
    terms: tuple[str, ...]
    logs: tuple[float, ...]
    interval: float | None

    @property
    def held(self) -> int:
        """How many of its networks lie in that interval."""
        return sum(abs(log) <= (self.interval or 0.0) for log in self.logs)


def folds(observations: Sequence[Observation], group: str) -> list[Fold]:
    """The law of selected terms with each `group` left out, the choice of terms and the interval with
    it. Empty where terms cannot be told without one of them."""
    logs = left_out(observations, SELECTED, group)
    found = []
    for name in sorted({getattr(o, group) for o in observations} if logs else ()):
        kept = tuple(o for o in observations if getattr(o, group) != name)
        own = tuple(
            log for log, o in zip(logs, observations, strict=True) if getattr(o, group) == name
        )
        interval = spread(left_out(kept, SELECTED, "base"))
        found.append(Fold(name, selection(kept), own, interval))
    return found
