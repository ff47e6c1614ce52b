"""The declared artifacts: every table and figure says in `configs/artifacts/<name>.yaml` what it shows and which runs it needs.

    name: quick                    as the file
    title: ...                     one line
    kind: theory | counts | comparison
    shows: ...                     what a reader learns from it
    outputs: [quick/comparison]    under paper_figures/, without suffix
    strategies: [d, w, r]          theory: the rows, closed form
    networks: [{label, source, arch}]   counts: a published network (label and source as in paper_points.csv) and its name here
    tiers:                         comparison: the runs of each tier
      quick: {base: regnety-tiny, strategies: [base, d], factor: 4, recipe: quick, data: fashion-mnist, seeds: [0, 1], timings: true}

`base` among the strategies is the unscaled network. An unknown or missing key is an InputError that names it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fastscale.archs.registry import nearest
from fastscale.errors import InputError
from fastscale.paper.places import checkout
from fastscale.scaling import RunName

KINDS = {"theory": "strategies", "counts": "networks", "comparison": "tiers"}
DEFAULT_TIER = "quick"
_COMMON = ("name", "title", "kind", "shows", "outputs")
_PLAN: dict[str, Any] = {
    "base": str,
    "strategies": list,
    "factor": (int, float),
    "recipe": str,
    "data": str,
    "seeds": list,
    "timings": bool,
}


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
class Plan:
    """The runs of one tier: a base and its scaled networks, each trained with every seed, and timed if `timings`."""

    base: str
    strategies: tuple[str | None, ...]
    factor: float
    recipe: str
    data: str
    seeds: tuple[int, ...]
    timings: bool

    def names(self) -> list[RunName]:
        """One a network, the base where it was listed."""
        return [RunName(self.base, strategy, self.factor if strategy else 1.0, self.recipe) for strategy in self.strategies]

    def runs(self) -> list[RunSpec]:
        """Every network with the first seed, then with the next: a comparison cut short is still whole with fewer seeds."""
        return [
            RunSpec(f"{n.arch_name}.{self.recipe}", n.arch_name, n.base, n.strategy, n.factor, self.recipe, self.data, seed)
            for seed in self.seeds
            for n in self.names()
        ]


@dataclass(frozen=True)
class Artifact:
    """A table or figure of the paper, as declared."""

    name: str
    title: str
    kind: str
    shows: str
    outputs: tuple[str, ...]
    strategies: tuple[str, ...] = ()
    networks: tuple[dict[str, str], ...] = ()
    tiers: dict[str, Plan] = field(default_factory=dict)

    def plan(self, tier: str = DEFAULT_TIER) -> Plan | None:
        """What has to be run in `tier`; None where nothing has."""
        return self.tiers.get(tier)

    @property
    def runs(self) -> list[RunSpec]:
        """The training runs of the default tier (`plan(tier).runs()` for another)."""
        plan = self.plan()
        return plan.runs() if plan else []

    @property
    def timings(self) -> list[str]:
        """Names of the networks to be timed in the default tier."""
        plan = self.plan()
        return [name.arch_name for name in plan.names()] if plan and plan.timings else []


def list_artifacts(root: Path | None = None) -> list[str]:
    """The names of all declared artifacts, sorted."""
    return sorted(path.stem for path in (checkout(root) / "configs" / "artifacts").glob("*.yaml"))


def load_artifact(name: str, root: Path | None = None) -> Artifact:
    """The artifact of that name. Raises InputError for an unknown name (the nearest first) or a wrong declaration."""
    known = list_artifacts(root)
    if name not in known:
        raise InputError(f"no artifact is named {name!r}; there are, nearest first: {nearest(str(name), known)}")
    path = checkout(root) / "configs" / "artifacts" / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path.name}: not YAML ({' '.join(str(error).split())})") from None
    try:
        return _artifact(content, name)
    except InputError as error:
        raise InputError(f"configs/artifacts/{path.name}: {error}") from None


def _artifact(content: Any, name: str) -> Artifact:
    if not isinstance(content, dict) or content.get("kind") not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}")
    own = KINDS[content["kind"]]
    _keys(content, (*_COMMON, own), "artifact")
    if content["name"] != name:
        raise InputError(f"name is {content['name']!r}, the file's name says {name!r}")
    values = {key: content[key] for key in _COMMON} | {"outputs": tuple(content["outputs"])}
    if own == "strategies":
        return Artifact(**values, strategies=tuple(content[own]))
    if own == "networks":
        for network in content[own]:
            _keys(network, ("label", "source", "arch"), "network")
        return Artifact(**values, networks=tuple(content[own]))
    return Artifact(**values, tiers={str(tier): _plan(plan) for tier, plan in content[own].items()})


def _plan(content: Any) -> Plan:
    _keys(content, tuple(_PLAN), "tier")
    for key, kind in _PLAN.items():
        if not isinstance(content[key], kind):
            raise InputError(f"{key}: {content[key]!r} is not what is expected here ({_PLAN[key]})")
    strategies = tuple(None if strategy == "base" else strategy for strategy in content["strategies"])
    plan = Plan(**{**content, "strategies": strategies, "seeds": tuple(content["seeds"]), "factor": float(content["factor"])})
    for name in plan.names():
        name.arch()  # a wrong base, strategy or factor is found here, not after an hour of training
    return plan


def _keys(content: Any, expected: tuple[str, ...], what: str) -> None:
    if not isinstance(content, dict):
        raise InputError(f"{what}: expected {', '.join(expected)}, got {content!r}")
    unknown, missing = [key for key in content if key not in expected], [key for key in expected if key not in content]
    if unknown or missing:
        found = [f"unknown key {key!r}" for key in unknown] + [f"missing key {key!r}" for key in missing]
        raise InputError(f"{what}: {', '.join(found)}; the keys are {', '.join(expected)}")
