"""The declared artifacts: `configs/artifacts/<name>.yaml` declares each table and figure.

    name: fig-4                    the file's name
    title: ...                     one line: what is shown
    kind: theory | group-width | counts | definitions | comparison | figure
    shows: ...                     what a reader learns from it
    outputs: [figures/fig-4]       under paper_figures/, without suffix
    order: 40                      its place in the index
    claims: [...]                  the claims of the paper that it tests (see `claims`); optional
    tiers: {quick: ..., full: ...} the runs of each tier (see `plan`); optional
    strategies: [d, w, r]          theory, group-width: the rows
    growth: {bases: [...], factors: [2, 4]}   theory, group-width: networks whose growth is counted
    networks: [{label, source}]    counts, definitions: published networks, as the column values in
                                   paper_points.csv or definitions.csv
    drawing: {by: panels, ...}     figure: how it is drawn (see the modules of `figures`)

A wrong, unknown or missing key is an InputError that names it (see `declare`).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, PlainValidator, model_validator

from fastscale.archs.names import strategy_spelling
from fastscale.common import did_you_mean, parse_yaml, read_text
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper.chart import Page
from fastscale.paper.claims import Claim, read_claim
from fastscale.paper.declare import (
    Declared,
    Line,
    Network,
    Positive,
    Registry,
    Scaling,
    Some,
    Text,
    read,
)
from fastscale.paper.plan import Plan, RunSpec, Series, list_artifacts
from fastscale.records import Record
from fastscale.references.networks import name_of

if TYPE_CHECKING:
    from fastscale.records.frame import Row

__all__ = ["DEFAULT_TIER", "Artifact", "Claim", "Plan", "RunSpec", "Series", "list_artifacts"]

DEFAULT_TIER = "quick"
Options = TypeVar("Options", bound="Drawing")
Draw = Callable[..., list[Page]]  # takes (artifact, its drawing, records)
DRAWINGS = Registry["tuple[type[Drawing], Draw]"]("drawing", "fastscale.paper.figures")


def drawing(name: str, spec: "type[Drawing]") -> Callable[[Draw], Draw]:
    """Decorator: registers a function that draws figures declared with `drawing: {by: name}`."""

    def register(draw: Draw) -> Draw:
        DRAWINGS.add(name, (spec, draw))
        return draw

    return register


def _claims(content: Any) -> tuple[Claim, ...]:
    if not isinstance(content, list):
        raise ValueError("must be a list")
    return tuple(map(read_claim, content))


class Artifact(Declared):
    """A table or figure of the paper, as declared."""

    name: Line
    title: Line
    kind: str
    shows: Text
    outputs: Some[Text]
    order: int = Field(default=1000, ge=0)
    claims: Annotated[tuple[Claim, ...], PlainValidator(_claims)] = ()
    tiers: dict[Literal["quick", "full"], Plan] = Field(default_factory=dict)

    def plan(self, tier: str = DEFAULT_TIER) -> Plan | None:
        """The runs of `tier`; None if it has none."""
        return self.tiers.get(tier)  # type: ignore[call-overload]

    @property
    def runs(self) -> list[RunSpec]:
        """The training runs of the default tier."""
        plan = self.plan()
        return plan.runs() if plan else []

    @property
    def timings(self) -> list[str]:
        """The names of the networks to time in the default tier."""
        plan = self.plan()
        return [name.name for name in plan.names()] if plan and plan.timings else []

    @model_validator(mode="after")
    def _claims_fit(self) -> "Artifact":
        for claim in self.claims:
            try:
                claim.measure.check(self)
            except ValueError as error:
                raise ValueError(f"claim {claim.id}: measure: {error}") from None
        return self


class Growth(Declared):
    """The networks whose growth is counted."""

    bases: Some[Network]
    factors: Some[Positive]


class Theory(Artifact):
    """Strategies in closed form."""

    strategies: Some[Scaling]
    growth: Growth | None = None


class GroupWidth(Theory):
    """Strategies in closed form, with group width fixed and scaled."""

    growth: Growth


class Published(Declared):
    """A published network as paper_points.csv or definitions.csv names it."""

    label: Text
    source: Text

    @model_validator(mode="after")
    def _known(self) -> "Published":
        name_of(self.source, self.label)
        return self

    @property
    def arch(self) -> str:
        """Our name of it."""
        return name_of(self.source, self.label)


class Counts(Artifact):
    """Published networks whose counts are compared."""

    networks: Some[Published]


class Definitions(Counts):
    """Published networks whose definitions are compared."""


class Comparison(Artifact):
    """A base and its scaled networks, trained and timed."""

    tiers: dict[Literal["quick", "full"], Plan]

    @model_validator(mode="after")
    def _one_factor(self) -> "Comparison":
        for tier, plan in self.tiers.items():
            if (len(plan.bases), len(plan.factors)) != (1, 1):
                raise ValueError(f"tier {tier}: a comparison has one base and one factor")
        return self


class Drawing(Declared):
    """How a figure is drawn: its options, one subclass per registered name of `by`."""

    by: str

    def check(self, artifact: "Figure") -> None:
        """Raises ValueError if an option does not fit the artifact."""

    def published(self) -> "list[Row]":
        """The published points that every variant shows."""
        return []

    def names(self, artifact: "Figure", records: Sequence[Record]) -> list[str]:
        """The pages that have a picture of the same name."""
        return [artifact.name]

    def recorded(self, artifact: "Figure", records: Sequence[Record]) -> str:
        """One sentence for the index on the records it is drawn from."""
        return "From published numbers only."


def _drawing(content: Any) -> Drawing:
    if not isinstance(content, dict):
        raise ValueError(f"expected the key by and its options, got {str(content)[:80]!r}")
    try:
        spec, _ = DRAWINGS.kind(content.get("by"))
    except InputError as error:
        raise ValueError(f"by {error}") from None
    return read(spec, content)


class Figure(Artifact):
    """An artifact that is drawn as pictures."""

    drawing: Annotated[Drawing, PlainValidator(_drawing)]

    @model_validator(mode="after")
    def _drawing_fits(self) -> "Figure":
        try:
            self.drawing.check(self)
        except ValueError as error:
            raise ValueError(f"drawing: {error}") from None
        return self


KINDS: dict[str, type[Artifact]] = {
    "theory": Theory,
    "group-width": GroupWidth,
    "counts": Counts,
    "definitions": Definitions,
    "comparison": Comparison,
    "figure": Figure,
}


def load_artifact(name: str) -> Artifact:
    """The artifact of that name. Raises InputError for an unknown name or a wrong declaration."""
    known = list_artifacts()
    if name not in known:
        raise InputError(f"no artifact is named {str(name)[:80]!r}; {did_you_mean(name, known)}")
    try:
        return _artifact(read_text(home().artifacts / f"{name}.yaml"), name)
    except InputError as error:
        raise InputError(f"configs/artifacts/{name}.yaml: {error}") from None


@lru_cache(maxsize=256)
def _artifact(text: str, name: str) -> Artifact:
    """The artifact of a file's text, cached because artifacts are loaded often."""
    return read_artifact(parse_yaml(text, f"{name}.yaml"), name)


def read_artifact(content: Any, name: str) -> Artifact:
    """The artifact of a parsed file of that name. Raises InputError."""
    kind = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        near = f"; {did_you_mean(kind, KINDS)}" if kind else ""
        raise InputError(f"kind must be one of {', '.join(KINDS)}{near}")
    artifact = read(KINDS[kind], content)
    if artifact.name != name:
        raise InputError(f"name is {artifact.name!r}, the file's name says {name!r}")
    return artifact


def published_networks(name: str) -> tuple[Published, ...]:
    """The published networks of an artifact of counts. Raises InputError for other artifacts."""
    artifact = load_artifact(name)
    if not isinstance(artifact, Counts):
        raise InputError(f"{name} declares no published networks")
    return artifact.networks


def check_strategies(wanted: Sequence[str], plan: Plan) -> None:
    """Raises ValueError for a strategy that no network of the plan is scaled by."""
    known = dict.fromkeys(s for series in plan.series for s in series.strategies if s)
    for strategy in wanted:
        if strategy_spelling(strategy) not in map(strategy_spelling, known):
            raise ValueError(
                f"no network is scaled by {strategy!r}; choose from {', '.join(known)}"
            )


def options(artifact: Artifact, spec: type[Options]) -> Options:
    """The artifact's drawing as a `spec`. Raises InputError if it is drawn otherwise."""
    found = artifact.drawing if isinstance(artifact, Figure) else None
    if not isinstance(found, spec):
        raise InputError(f"{artifact.name} is not drawn by {spec.__name__.lower()}")
    return found
