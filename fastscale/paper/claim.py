"""A claim of the paper as an artifact declares it: one line, the number printed, the tolerance, and how the number is computed.

claims:
  - id: acts-predict-time                      unique among all artifacts
    claim: Epoch time follows activations      one line
    paper: 0.99                                the number printed; null where the paper prints none
    side: at least                             near, at least or at most: how ours has to lie to that number, or to the one computed again
    tolerance: 0.03                            how far it may be off and the claim still holds, in the number's own unit
    computed: Pearson r of ...                 in words
    measure: {correlation: acts, pool: fig2}   the same for the machine (see `verdicts`)
"""

from dataclasses import dataclass
from typing import Any

from fastscale.errors import InputError
from fastscale.paper.declared import check_measure
from fastscale.paper.plan import need_keys

SIDES = ("near", "at least", "at most")
_KEYS = ("id", "claim", "paper", "side", "tolerance", "computed", "measure")


@dataclass(frozen=True)
class Claim:
    """What the paper says, as a number that can be computed again."""

    id: str
    claim: str
    paper: float | None
    side: str
    tolerance: float
    computed: str
    measure: dict[str, Any]


def read_claim(content: Any) -> Claim:
    """The claim as declared. Raises InputError that names what is wrong."""
    need_keys(content, _KEYS, "claim")
    for key in ("id", "claim", "computed"):
        if (
            not isinstance(content[key], str)
            or not content[key].strip()
            or "\n" in content[key].strip()
        ):
            raise InputError(f"claim: {key} must be one line of text, not {content[key]!r}")
    for key in ("paper", "tolerance"):
        value = content[key]
        if (value is not None or key == "tolerance") and (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not abs(value) < 1e15  # nor nan, nor infinite
        ):
            raise InputError(f"claim {content['id']}: {key} must be a number, not {value!r}")
    if content["side"] not in SIDES:
        raise InputError(
            f"claim {content['id']}: side must be one of {', '.join(SIDES)}, not {content['side']!r}"
        )
    check_measure(content["measure"], f"claim {content['id']}")
    return Claim(**content)


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
