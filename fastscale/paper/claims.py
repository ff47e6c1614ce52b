"""A claim of the paper as an artifact declares it: text, number, tolerance and measure.

claims:
  - id: acts-predict-time                      unique among all artifacts
    claim: Epoch time follows activations      one line
    paper: 0.99                                the printed number; null if the paper prints none
    side: at least                             near, at least or at most: how ours must compare with
                                               that number, or else with the recomputed one
    tolerance: 0.03                            largest deviation allowed, in the number's unit
    computed: Pearson r of ...                 how the number is computed, in words
    measure: {correlation: acts, pool: fig2}   how the program computes it (see `measures`)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import Field, PlainValidator

from fastscale.common import did_you_mean
from fastscale.paper.declare import Declared, Line, Registry, read
from fastscale.records import Record

MEASURES = Registry["type[Measure]"]("measure", "fastscale.paper.measures")
Spec = TypeVar("Spec", bound="Measure")
Number = Annotated[float, Field(gt=-1e15, lt=1e15)]


class Ours(NamedTuple):
    """Our number for a claim."""

    value: float
    n: int  # networks or runs behind it
    where: str  # the device or data, "counted" or "closed form"
    on_cpu: bool = False
    interval: tuple[float, float] | None = None
    without: float | None = None  # the value without stand-ins


class Evidence(NamedTuple):
    """What a claim of `artifact` is judged by."""

    artifact: Any  # an Artifact, whose module imports this one
    records: Sequence[Record]
    pictures: Callable[[str], Sequence[Any]]  # the views of the artifact of that name


class Measure(Declared):
    """How a claim's number is computed; a declaration selects a measure by its first key."""

    from_zero: ClassVar[bool] = False  # the target is 0 if the paper prints no number
    of_others: ClassVar[bool] = False  # judged by the number recomputed from published points

    @property
    def origin(self) -> str:
        """What the number of `published` is computed from."""
        return "published points"

    def check(self, artifact: Any) -> None:
        """Raises ValueError if the measure does not fit the artifact."""

    def published(self, artifact: Any) -> tuple[float, int] | None:
        """(number recomputed from published points, number of networks); None without points."""
        return None

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One number if it is counted or in closed form, otherwise one per device or recipe."""
        yield from ()

    def tested(self) -> tuple[str, str, bool] | None:
        """(strategy, baseline, whether equivalence is tested) of a claim about their errors."""
        return None

    def needs(self, evidence: Evidence) -> str:
        """The measurements that are missing."""
        return ""


def measure(name: str) -> Callable[[type[Spec]], type[Spec]]:
    """Decorator: registers the measure whose first key is `name`."""

    def register(kind: type[Spec]) -> type[Spec]:
        MEASURES.add(name, kind)
        return kind

    return register


def _measure(content: Any) -> Measure:
    known = MEASURES.kinds()
    if not isinstance(content, dict) or not content:
        raise ValueError(f"must begin with one of the keys {', '.join(known)}")
    kind = next((key for key in content if key in known), None)
    if kind is None:
        key = next(iter(content))
        raise ValueError(f"unknown measure {key!r}; {did_you_mean(key, known)}")
    return read(known[kind], content)


class Claim(Declared):
    """A statement of the paper as a number that can be recomputed."""

    id: Line
    claim: Line
    paper: Number | None
    side: Literal["near", "at least", "at most"]
    tolerance: Number
    computed: Line
    measure: Annotated[Measure, PlainValidator(_measure)]


def read_claim(content: Any) -> Claim:
    """The claim of a parsed declaration. Raises InputError."""
    name = content.get("id") if isinstance(content, dict) else None
    return read(Claim, content, f"claim {name}" if isinstance(name, str) else "claim")


def meets(claim: Claim, value: float, target: float) -> bool:
    """Whether `value` is on the claim's side of `target`, within the tolerance."""
    off = {"near": abs(value - target), "at least": target - value, "at most": value - target}
    return off[claim.side] <= claim.tolerance + 1e-9


def condition(claim: Claim, target: float) -> str:
    """The condition of `meets` in words: `at least 0.95`, `0.54 to 0.74`."""
    if claim.side == "near":
        low, high = target - claim.tolerance, target + claim.tolerance
        return f"{target:.3g}" if not claim.tolerance else f"{low:.3g} to {high:.3g}"
    limit = target - claim.tolerance if claim.side == "at least" else target + claim.tolerance
    return f"{claim.side} {limit:.3g}"
