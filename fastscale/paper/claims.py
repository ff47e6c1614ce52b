"""A claim of the paper as an artifact declares it: one line, the number printed, the tolerance, and how the number is computed.

claims:
  - id: acts-predict-time                      unique among all artifacts
    claim: Epoch time follows activations      one line
    paper: 0.99                                the number printed; null where the paper prints none
    side: at least                             near, at least or at most: how ours has to lie to that number, or to the one computed again
    tolerance: 0.03                            how far it may be off and the claim still holds, in the number's own unit
    computed: Pearson r of ...                 in words
    measure: {correlation: acts, pool: fig2}   the same for the machine (see `measures`)
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
    """Our number, how many networks or runs it is made from, where it was measured, counted or
    derived, its interval if it has one, and what it would be without the networks whose eager time
    stands in for the device's."""

    value: float
    n: int
    where: str
    on_cpu: bool = False
    interval: tuple[float, float] | None = None
    without: float | None = None


class Evidence(NamedTuple):
    """What a claim of `artifact` is judged by; `pictures`: an artifact's name -> the figure and its variants."""

    artifact: Any  # an Artifact, which knows its claims
    records: Sequence[Record]
    pictures: Callable[[str], Sequence[Any]]


class Measure(Declared):
    """How a claim's number is computed, from published points and from ours; called by its first key."""

    from_zero: ClassVar[bool] = False  # ours is held against 0 where the paper prints no number
    of_others: ClassVar[bool] = False  # the number computed again is the one that is judged

    def check(self, artifact: Any) -> None:
        """Raises InputError where it speaks of what the artifact does not hold."""

    def published(self, artifact: Any) -> tuple[float, int] | None:
        """(the number computed again from what others published, from how many networks)."""
        return None

    def ours(self, evidence: Evidence) -> Iterator[Ours]:
        """One where it is counted or in closed form, otherwise one a device or training recipe with records enough."""
        yield from ()

    def tested(self) -> tuple[str, str, bool] | None:
        """(strategy, the other, whether equivalence is tested), of a claim about their errors."""
        return None

    def needs(self, evidence: Evidence) -> str:
        """What has to be measured before there is one."""
        return ""


def measure(name: str) -> Callable[[type[Spec]], type[Spec]]:
    """A decorator: the class is the measure whose first key is `name`."""

    def register(kind: type[Spec]) -> type[Spec]:
        MEASURES.add(name, kind)
        return kind

    return register


def _measure(content: Any) -> Measure:
    known = MEASURES.kinds()
    if not isinstance(content, dict) or not content:
        raise ValueError(f"must say how the number is computed: {', '.join(known)}")
    kind = next((key for key in content if key in known), None)
    if kind is None:
        key = next(iter(content))
        raise ValueError(f"{key!r} is no way to compute a number; {did_you_mean(key, known)}")
    return read(known[kind], content)


class Claim(Declared):
    """What the paper says, as a number that can be computed again."""

    id: Line
    claim: Line
    paper: Number | None
    side: Literal["near", "at least", "at most"]
    tolerance: Number
    computed: Line
    measure: Annotated[Measure, PlainValidator(_measure)]


def read_claim(content: Any) -> Claim:
    """The claim as declared. Raises InputError that names what is wrong."""
    name = content.get("id") if isinstance(content, dict) else None
    return read(Claim, content, f"claim {name}" if isinstance(name, str) else "claim")


def meets(claim: Claim, value: float, target: float) -> bool:
    """Whether a number is what the claim says, the tolerance given."""
    off = {"near": abs(value - target), "at least": target - value, "at most": value - target}[
        claim.side
    ]
    return off <= claim.tolerance + 1e-9


def condition(claim: Claim, target: float) -> str:
    """The same in words: `at least 0.95`, `0.54 to 0.74`."""
    if claim.side == "near":
        low, high = target - claim.tolerance, target + claim.tolerance
        return f"{target:.3g}" if not claim.tolerance else f"{low:.3g} to {high:.3g}"
    limit = target - claim.tolerance if claim.side == "at least" else target + claim.tolerance
    return f"{claim.side} {limit:.3g}"
