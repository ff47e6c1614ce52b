"""The runs of one tier of an artifact: series of networks, recipe, data and seeds.

    series:
      - {base: efficientnet-b0, strategies: [base, d, w], factors: [2, 4]}
      - {base: efficientnet-b1, strategies: [base], factors: []}
    recipe: imagenet-100ep
    data: imagenet
    seeds: [0, 1]        an empty list trains nothing: the networks are only timed
    timings: true

The strategy `base` is the unscaled network. A series may have other `seeds`. A wrong base, strategy
or factor is an InputError when the plan is read.
"""

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, model_validator

from fastscale.archs.names import NetworkName, RunName
from fastscale.common import read_yaml
from fastscale.home import home
from fastscale.paper.declare import Declared, Many, Positive, Scaling, Seed, Some, Text, read
from fastscale.paper.style import canonical_strategy
from fastscale.scaling import arch_named


class RunSpec(NamedTuple):
    """One training run: a name with network and recipe, data, and seed."""

    name: RunName
    data: str
    seed: int

    @property
    def run(self) -> str:
        """`<network>.<recipe>`."""
        return str(self.name)

    @property
    def arch(self) -> str:
        """The network's name."""
        return self.name.network.name

    @property
    def base(self) -> str:
        """The name of its base."""
        return self.name.network.base

    @property
    def strategy(self) -> str | None:
        """The strategy as declared; None for the base itself."""
        return self.name.network.strategy

    @property
    def factor(self) -> float:
        """The factor of scaling; 1 for the base itself."""
        return self.name.network.factor

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return self.name.recipe


def _unscaled(strategy: object) -> object:
    return None if strategy == "base" else strategy


class Series(Declared):
    """A base scaled by every strategy at every factor; the strategy None is the base itself."""

    base: Text
    strategies: Some[Annotated[Scaling | None, BeforeValidator(_unscaled)]]
    factors: Many[Positive]
    seeds: Some[Seed] | None = None  # default: the plan's

    def names(self) -> list[NetworkName]:
        """One name per network, by strategy and factor as listed."""
        scaled = [
            (s, f) for s in self.strategies for f in (self.factors if s is not None else (1.0,))
        ]
        return [NetworkName(self.base, strategy, factor) for strategy, factor in scaled]

    @model_validator(mode="after")
    def _exist(self) -> "Series":
        if any(self.strategies) and not self.factors:
            raise ValueError(f"factors: give at least one factor to scale {self.base} by")
        for name in self.names():
            arch_named(name)
        return self


class Plan(Declared):
    """The runs of one tier: the networks of its series, each trained with every seed."""

    series: Some[Series]
    recipe: Text
    data: Text
    seeds: Many[Seed]
    timings: bool  # whether the networks are also timed

    @property
    def bases(self) -> tuple[str, ...]:
        """The distinct bases in the order declared."""
        return tuple(dict.fromkeys(series.base for series in self.series))

    @property
    def factors(self) -> tuple[float, ...]:
        """The distinct factors in the order declared."""
        return tuple(dict.fromkeys(factor for series in self.series for factor in series.factors))

    def names(self) -> list[NetworkName]:
        """The distinct networks in the order declared."""
        return list(dict.fromkeys(name for series in self.series for name in series.names()))

    def holds(self, base: str, strategy: str | None, factor: float) -> bool:
        """Whether a network belongs to one of the series, at a factor up to its largest.

        A strategy with group width counts as the one without: dwgr as dwr.
        """
        return any(
            base == series.base
            and (strategy is None or factor <= max(series.factors, default=0))
            and canonical_strategy(strategy) in map(canonical_strategy, series.strategies)
            for series in self.series
        )

    def runs(self) -> list[RunSpec]:
        """Every network with the first seed, then with the next, and so on.

        A comparison that is cut short then still has all networks, with fewer seeds.
        """
        own = [(series.seeds or self.seeds, series.names()) for series in self.series]
        most = max(len(seeds) for seeds, _ in own)
        return list(
            dict.fromkeys(
                RunSpec(RunName(name, self.recipe), self.data, seeds[turn])
                for turn in range(most)
                for seeds, names in own
                if turn < len(seeds)
                for name in names
            )
        )

    @model_validator(mode="after")
    def _does_something(self) -> "Plan":
        if not self.runs() and not self.timings:
            raise ValueError("seeds: a tier without seeds and timings does nothing")
        return self


def list_artifacts() -> list[str]:
    """The names of all declared artifacts, sorted."""
    return sorted(path.stem for path in home().artifacts.glob("*.yaml"))


def plans(tier: str) -> dict[str, Plan]:
    """The plan of each artifact that has one in `tier`; nothing else of the artifacts is loaded.

    Raises InputError for a wrong plan.
    """
    found = {}
    for name in list_artifacts():
        content = read_yaml(home().artifacts / f"{name}.yaml")
        tiers = content.get("tiers") if isinstance(content, dict) else None
        if isinstance(tiers, dict) and tier in tiers:
            where = f"configs/artifacts/{name}.yaml: tiers: {tier}"
            found[name] = read(Plan, tiers[tier], where)
    return found
