"""The declared artifacts: every table and figure says in `configs/artifacts/<name>.yaml` what it shows, tests, and needs to be run.

    name: fig-4                    as the file
    title: ...                     one line
    kind: theory | group-width | counts | definitions | comparison | figure
    shows: ...                     what a reader learns from it
    outputs: [figures/fig-4]       under paper_figures/, without suffix
    claims: [...]                  what of the paper it tests (see `claim`); may be absent
    strategies: [d, w, r]          theory, group-width: the rows, in closed form
    growth: {bases: [...], factors: [2, 4]}   the networks whose real growth stands beside the closed form
    networks: [{label, source, arch}]   counts, definitions: a published network (label and source as in paper_points.csv) and its name here
    drawing: {by: panels, ...}     figure: how it is drawn, from which points (see the module of that name)
    tiers: {quick: ..., full: ...} the runs of each tier (see `plan`); a tier that is absent has nothing to run

An unknown or missing key is an InputError that names it.
"""

from dataclasses import dataclass, field
from typing import Any

from fastscale.archs.registry import nearest
from fastscale.common import read_yaml
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.claim import Claim, read_claim
from fastscale.paper.declared import (
    NETWORK,
    OF_PAIRED,
    STRATEGY,
    Keys,
    check_drawing,
    check_keys,
    check_strategies,
    each,
    text,
    within,
)
from fastscale.paper.plan import Plan, RunSpec, Series, need_keys, read_plan

__all__ = [
    "DEFAULT_TIER",
    "Artifact",
    "Claim",
    "Plan",
    "RunSpec",
    "Series",
    "list_artifacts",
    "load_artifact",
]

# kind -> the keys it needs, and those it may have
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "theory": (("strategies",), ("growth",)),
    "group-width": (("strategies", "growth"), ()),
    "counts": (("networks",), ()),
    "definitions": (("networks",), ()),
    "comparison": (("tiers",), ()),
    "figure": (("drawing",), ("tiers",)),
}
DEFAULT_TIER = "quick"
TIERS = ("quick", "full")
_KEYS: Keys = {"name": text, "title": text, "kind": text, "shows": text, "outputs": each(text)}
_COMMON = tuple(_KEYS)
_LISTS: Keys = {
    "claims": each(lambda claim: None, 0),  # see `read_claim`
    "strategies": each(STRATEGY),
    "networks": each({"label": text, "source": text, "arch": NETWORK}),
    "growth": {"bases": each(NETWORK), "factors": each(within(1e-3, 1e6))},
}


@dataclass(frozen=True)
class Artifact:
    """A table or figure of the paper, as declared."""

    name: str
    title: str
    kind: str
    shows: str
    outputs: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    strategies: tuple[str, ...] = ()
    growth: dict[str, Any] = field(default_factory=dict)
    networks: tuple[dict[str, str], ...] = ()
    drawing: dict[str, Any] = field(default_factory=dict)
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


def list_artifacts() -> list[str]:
    """The names of all declared artifacts, sorted."""
    return sorted(path.stem for path in (home().artifacts).glob("*.yaml"))


def load_artifact(name: str) -> Artifact:
    """The artifact of that name. Raises InputError for an unknown name (the nearest first) or a wrong declaration."""
    known = list_artifacts()
    if name not in known:
        raise InputError(
            f"no artifact is named {name!r}; there are, nearest first: {nearest(str(name), known)}"
        )
    path = home().artifacts / f"{name}.yaml"
    try:
        return _artifact(read_yaml(path), name)
    except InputError as error:
        raise InputError(f"configs/artifacts/{path.name}: {error}") from None


def _artifact(content: Any, name: str) -> Artifact:
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("kind"), str)
        or content["kind"] not in KINDS
    ):
        raise InputError(f"kind must be one of {', '.join(KINDS)}")
    needed, allowed = KINDS[content["kind"]]
    need_keys(content, (*_COMMON, *needed), "artifact", ("claims", *allowed))
    if content["name"] != name:
        raise InputError(f"name is {content['name']!r}, the file's name says {name!r}")
    check_keys({key: content[key] for key in _COMMON}, _KEYS, "artifact")
    for key, check in _LISTS.items():
        if key in content:
            check_keys({key: content[key]}, {key: check}, "artifact")
    if content["kind"] == "figure":
        check_drawing(content["drawing"])
    growth = content.get("growth", {})
    tiers = content.get("tiers", {})
    need_keys(tiers, (), "tiers", TIERS)
    artifact = Artifact(
        **{key: content[key] for key in _COMMON if key != "outputs"},
        outputs=tuple(content["outputs"]),
        claims=tuple(map(read_claim, content.get("claims", ()))),
        strategies=tuple(content.get("strategies", ())),
        growth=growth,
        networks=tuple(content.get("networks", ())),
        drawing=content.get("drawing", {}),
        tiers={tier: read_plan(plan) for tier, plan in tiers.items()},
    )
    _check_together(artifact)
    for tier, plan in artifact.tiers.items():
        if artifact.kind == "comparison" and (len(plan.bases), len(plan.factors)) != (1, 1):
            raise InputError(f"tier {tier}: a comparison has one base and one factor")
    return artifact


def _check_together(artifact: Artifact) -> None:
    """InputError where a drawing or a claim speaks of what the rest of the file does not hold."""
    paired = artifact.drawing.get("by") == "paired"
    strategies: list[str | None] = []
    if paired:
        plan = artifact.plan(artifact.drawing["tier"])
        if plan is None:
            raise InputError(f"drawing: tier: no tier {artifact.drawing['tier']!r} is declared")
        strategies = [s for series in plan.series for s in series.strategies]
        check_strategies([artifact.drawing["reference"]], strategies, "drawing: reference")
    for claim in artifact.claims:
        where = f"claim {claim.id}: measure"
        if "growth" in claim.measure and not artifact.growth:
            raise InputError(f"{where}: growth of what? The artifact declares no growth")
        if set(claim.measure) & set(OF_PAIRED) and not paired:
            raise InputError(f"{where}: only a drawing by paired can tell it")
        if "paired" in claim.measure:
            names = [claim.measure["paired"], claim.measure["minus"]]
            check_strategies(names, strategies, where)
