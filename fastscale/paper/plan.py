"""The runs of one tier of an artifact: series of networks (a base, how it is scaled, by how much), the recipe, the data, the seeds.

    series:
      - {base: efficientnet-b0, strategies: [base, d, w], factors: [2, 4]}
      - {base: efficientnet-b1, strategies: [base], factors: []}
    recipe: imagenet-100ep
    data: imagenet
    seeds: [0, 1]        an empty list trains nothing: the networks are only timed
    timings: true

`base` among the strategies is the unscaled network. A wrong base, strategy or factor is an InputError here, not after an hour of training.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastscale.errors import InputError
from fastscale.paper.looks import SAME
from fastscale.scaling import RunName

_PLAN: dict[str, type | tuple[type, ...]] = {
    "series": list,
    "recipe": str,
    "data": str,
    "seeds": list,
    "timings": bool,
}
_SERIES: dict[str, type | tuple[type, ...]] = {"base": str, "strategies": list, "factors": list}


class RunSpec(NamedTuple):
    """One training run; its name says it all but data and seed. `strategy` is None (and `factor` 1) for the base as it is."""

    run: str
    arch: str
    base: str
    strategy: str | None
    factor: float
    recipe: str
    data: str
    seed: int


@dataclass(frozen=True)
class Series:
    """A base and what is made of it: every strategy at every factor; the strategy None is the base as it is, once."""

    base: str
    strategies: tuple[str | None, ...]
    factors: tuple[float, ...] = ()

    def names(self, recipe: str | None = None) -> list[RunName]:
        """One a network: strategy by strategy, each from its smallest factor as listed."""
        scaled = [
            (s, f) for s in self.strategies for f in (self.factors if s is not None else (1.0,))
        ]
        return [RunName(self.base, strategy, factor, recipe) for strategy, factor in scaled]


@dataclass(frozen=True)
class Plan:
    """The runs of one tier: the networks of its series, each trained with every seed, and timed if `timings`."""

    series: tuple[Series, ...]
    recipe: str
    data: str
    seeds: tuple[int, ...]
    timings: bool

    @property
    def bases(self) -> tuple[str, ...]:
        """The base networks, each once, in the order declared."""
        return tuple(dict.fromkeys(series.base for series in self.series))

    @property
    def factors(self) -> tuple[float, ...]:
        """The scaling factors, each once, in the order declared."""
        return tuple(dict.fromkeys(factor for series in self.series for factor in series.factors))

    def names(self) -> list[RunName]:
        """One a network, each once, in the order declared."""
        found = [name for series in self.series for name in series.names(self.recipe)]
        return list({name.arch_name: name for name in found}.values())

    def holds(self, base: str, strategy: str | None, factor: float) -> bool:
        """Whether a network belongs to one of the series, at a factor up to the largest that is planned.

        dwgr counts as dwr, and so on: with and without group width a strategy is one to the eye.
        """
        look = SAME.get(strategy, strategy) if strategy else None
        for series in self.series:
            looks = {SAME.get(s, s) if s else None for s in series.strategies}
            if (
                base == series.base
                and look in looks
                and (strategy is None or factor <= max(series.factors))
            ):
                return True
        return False

    def runs(self) -> list[RunSpec]:
        """Every network with the first seed, then with the next: a comparison cut short is still whole with fewer seeds."""
        return [
            RunSpec(
                f"{n.arch_name}.{self.recipe}",
                n.arch_name,
                n.base,
                n.strategy,
                n.factor,
                self.recipe,
                self.data,
                seed,
            )
            for seed in self.seeds
            for n in self.names()
        ]


def read_plan(content: Any) -> Plan:
    """The plan of a tier as declared. Raises InputError that names what is wrong."""
    _typed(content, _PLAN, "tier")
    plan = Plan(
        tuple(map(read_series, content["series"])),
        content["recipe"],
        content["data"],
        tuple(content["seeds"]),
        content["timings"],
    )
    for seed in plan.seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise InputError(f"seeds: {seed!r} is no whole number of at least 0")
    if not plan.names():
        raise InputError("series: the tier plans no network")
    if not plan.seeds and not plan.timings:
        raise InputError("seeds: a tier without seeds and without timings does nothing")
    return plan


def read_series(content: Any) -> Series:
    """One entry of `series`, its networks tried."""
    _typed(content, _SERIES, "series")
    for factor in content["factors"]:
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise InputError(f"factors: {factor!r} is no number")
    strategies = tuple(
        None if strategy == "base" else strategy for strategy in content["strategies"]
    )
    series = Series(
        content["base"], strategies, tuple(float(factor) for factor in content["factors"])
    )
    if any(strategies) and not series.factors:
        raise InputError(f"factors: {series.base} is to be scaled, give at least one factor")
    for name in series.names():
        name.arch()
    return series


def need_keys(
    content: Any, expected: Iterable[str], what: str, optional: Iterable[str] = ()
) -> None:
    """Raises InputError unless `content` is a dictionary with the `expected` keys and otherwise none but `optional` ones."""
    expected, optional = tuple(expected), tuple(optional)
    if not isinstance(content, dict):
        raise InputError(f"{what}: expected {', '.join(expected)}, got {content!r}")
    unknown, missing = (
        [key for key in content if key not in expected + optional],
        [key for key in expected if key not in content],
    )
    if unknown or missing:
        found = [f"unknown key {key!r}" for key in unknown] + [
            f"missing key {key!r}" for key in missing
        ]
        raise InputError(
            f"{what}: {', '.join(found)}; the keys are {', '.join(expected + optional)}"
        )


def _typed(content: Any, kinds: dict[str, type | tuple[type, ...]], what: str) -> None:
    need_keys(content, kinds, what)
    for key, kind in kinds.items():
        if not isinstance(content[key], kind):
            raise InputError(f"{key}: {content[key]!r} is not what is expected here ({kind})")
