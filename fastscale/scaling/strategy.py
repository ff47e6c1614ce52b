"""Scaling strategies: the shares of the factor s that depth, width and resolution take.

Tables 1, 2 and 4, and the grammar of the authors' code. With shares e_d + e_w + e_r = 1 the
multipliers are d = s^e_d, w = s^(e_w/2) and r = s^(e_r/2), so that d w w r r = s; group width has
g = s^(e_g/2). The rounding of group widths is part of a strategy and of its name: by the authors'
rule, or to powers of two ("dWr-pow2").
"""

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from fastscale.archs.check import said_number
from fastscale.archs.names import read_strategies
from fastscale.common import span
from fastscale.errors import InputError
from fastscale.scaling.exponents import Exponents, conv_stage, group_conv_stage

GRAMMAR = (
    "letters out of d w g r ('dwr', 'wg'), weights ('d1_w8_g8_r1'), the paper's 'dWr' "
    "(= d1_w8_g8_r1), or 'alpha=A' with A from 0 to 1 ('alpha=2/3'); append -pow2 for group widths "
    "that are powers of two"
)
ROUNDINGS = ("paper", "power_of_two")  # of group widths
POW2 = "-pow2"  # ends the name of a strategy with the second rounding
# far beyond any network that can be built: anything else is a typing error
SMALLEST_FACTOR, LARGEST_FACTOR = 1e-4, 100_000
LARGEST_SHARE = 10  # of group width, which is not part of the sum of 1; the paper's are below 1
# few digits: a Fraction of "1e999999999" would be computed to its last one
_WEIGHT = re.compile(r"([dwgr])(\d{1,20}(?:\.\d{1,9})?)", re.ASCII)
_ALPHA = re.compile(r"\d{1,9}(?:/\d{1,9}|\.\d{0,12})?|\.\d{1,12}|\d(?:\.\d{1,12})?e-?\d", re.ASCII)


_NAMED = {"d1_w8_g8_r1": "dWr"}  # the paper's own name
_own: dict[str, "Strategy"] = {}  # by name, as registered


@dataclass(frozen=True)
class Strategy:
    """Shares of the scaling factor; depth + width + resolution = 1.

    `name`: as it was written; strategies with the same shares are equal.
    `group_width`: 0 leaves group widths unchanged.
    `group_width_rounding`: one of ROUNDINGS; with the second, `name` ends in "-pow2".
    `spelling`: the canonical name, used in the names of networks.

    >>> Strategy.parse("alpha=.5") == Strategy.parse("alpha=1/2") == Strategy.parse("r1_g2_w2_d1")
    True
    >>> Strategy.parse("alpha=0.8-pow2").spelling
    'dWr-pow2'
    """

    name: str = field(compare=False)
    depth: Fraction
    width: Fraction
    resolution: Fraction
    group_width: Fraction = Fraction(0)
    group_width_rounding: str = "paper"
    spelling: str = field(init=False, repr=False)

    if TYPE_CHECKING:  # for type checkers: shares may also be int and float

        def __init__(
            self,
            name: str,
            depth: Fraction | float,
            width: Fraction | float,
            resolution: Fraction | float,
            group_width: Fraction | float = 0,
            group_width_rounding: str = "paper",
        ) -> None: ...

    def __post_init__(self) -> None:
        try:
            for letter in ("depth", "width", "resolution", "group_width"):
                share = getattr(self, letter)
                if not isinstance(share, int | float | Fraction) or isinstance(share, bool):
                    raise TypeError
                object.__setattr__(self, letter, Fraction(share).limit_denominator(10**6))
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"strategy {self.name!r}: shares must be finite numbers") from None
        if (
            not isinstance(self.name, str)
            or not self.name
            or "-x" in self.name
            or any(c.isspace() for c in self.name)
        ):
            raise InputError(f"strategy name {self.name!r} must be one word without '-x'")
        if min(self.depth, self.width, self.resolution, self.group_width) < 0:
            raise InputError(f"strategy {self.name!r}: shares must not be negative")
        if self.group_width > LARGEST_SHARE:
            raise InputError(f"strategy {self.name!r}: g's share must be at most {LARGEST_SHARE}")
        total = self.depth + self.width + self.resolution
        if total != 1:
            raise InputError(
                f"strategy {self.name!r}: depth + width + resolution shares must sum to 1, "
                f"got {total}"
            )
        if self.group_width_rounding not in ROUNDINGS:
            raise InputError(
                f"group_width_rounding is one of {', '.join(ROUNDINGS)}, got "
                f"{self.group_width_rounding!r:.60}"
            )
        stem = self.name.removesuffix(POW2)
        suffix = "" if self.group_width_rounding == "paper" else POW2
        object.__setattr__(self, "name", stem + suffix)
        object.__setattr__(self, "spelling", self._spelling(stem) + suffix)

    def _spelling(self, name: str) -> str:
        """The letters if all weights are equal, else whole weights; a registered name is kept.

        >>> [Strategy.parse(s).spelling for s in ("alpha=2/3", "alpha=0.8", "g1_w1", "d1_w0.5_r1")]
        ['d1_w4_g4_r1', 'dWr', 'wg', 'd2_w1_r2']
        """
        shares = (self.depth, self.width, self.group_width, self.resolution)
        with suppress(InputError):
            if _shares(name) == shares:
                whole = math.lcm(*(share.denominator for share in shares))
                weights = [int(share * whole) for share in shares]
                weights = [weight // math.gcd(*weights) for weight in weights]
                given = {letter: n for letter, n in zip("dwgr", weights, strict=True) if n}
                if set(given.values()) == {1}:
                    return "".join(given)
                text = "_".join(f"{letter}{n}" for letter, n in given.items())
                return _NAMED.get(text, text)
        return name

    def rounded(self, group_width_rounding: str | None) -> "Strategy":
        """This strategy with another rounding of group widths, and a name that says so.

        None: no change. InputError for a rounding that is not in ROUNDINGS.

        >>> dWr = Strategy.parse("dWr")
        >>> dWr.rounded("power_of_two").name, dWr.rounded("power_of_two").rounded("paper") == dWr
        ('dWr-pow2', True)
        """
        if group_width_rounding in (None, self.group_width_rounding):
            return self
        return replace(self, group_width_rounding=group_width_rounding)

    @classmethod
    def parse(cls, text: "str | Strategy") -> "Strategy":
        """The strategy of that name; InputError with the grammar for an unknown one.

        >>> Strategy.parse("dWr").exponents().acts
        Fraction(3, 5)
        """
        if isinstance(text, Strategy):
            return text
        if not isinstance(text, str):
            raise InputError(f"a strategy is text or a Strategy, got {text!r}; use {GRAMMAR}")
        stem = text.removesuffix(POW2)
        found = _own.get(stem) or _read(stem)
        return found if stem == text else found.rounded("power_of_two")

    def multipliers(self, factor: float) -> tuple[float, float, float, float]:
        """(depth, width, resolution, group width) multipliers at scaling factor `factor`."""
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not number or not SMALLEST_FACTOR <= factor <= LARGEST_FACTOR:
            raise InputError(
                f"the scaling factor must be a number {span(SMALLEST_FACTOR, LARGEST_FACTOR)}, "
                f"got {said_number(factor)}"
            )
        return (
            factor ** float(self.depth),
            factor ** (float(self.width) / 2),
            factor ** (float(self.resolution) / 2),
            factor ** (float(self.group_width) / 2),
        )

    def exponents(self, group_conv: bool = False) -> Exponents:
        """Closed-form exponents of a stage of plain convs, or of 3x3 group convs.

        Self-checked: the stage's formula at the multipliers of s = 4 must give s**exponent.
        """
        d, w, r, g = self.depth, self.width, self.resolution, self.group_width
        second_width = (w + g) / 2 if group_conv else w
        found = Exponents(flops=d + second_width + r, params=d + second_width, acts=d + w / 2 + r)
        md, mw, mr, mg = self.multipliers(4.0)
        stage = group_conv_stage(md, mw, mr, mg) if group_conv else conv_stage(md, mw, mr)
        for value, exponent in zip(stage, (found.flops, found.params, found.acts), strict=True):
            assert math.isclose(value, 4.0 ** float(exponent), rel_tol=1e-9), (
                f"{self}: closed form {found} does not meet its stage"
            )
        return found


@lru_cache(maxsize=4096)
def _read(text: str) -> Strategy:
    d, w, g, r = _shares(text)
    return Strategy(text, d, w, r, g)


@lru_cache(maxsize=4096)
def _shares(text: str) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Shares of depth, width, group width and resolution: weight / (sum of d, w and r weights).

    InputError with the grammar for any other text.
    """
    if text == "dWr":
        text = "d1_w8_g8_r1"
    if text.startswith("alpha="):
        return _alpha(text)
    if text and set(text) <= set("dwgr") and len(set(text)) == len(text):
        weights = {letter: Fraction(1) for letter in text}
    else:
        pairs = [_WEIGHT.fullmatch(part) for part in text.split("_")]
        weights = {m[1]: Fraction(m[2]) for m in pairs if m}
        if not all(pairs) or len(weights) != len(pairs):
            raise InputError(f"unknown strategy {text[:60]!r}; use {GRAMMAR}")
    d, w, g, r = (weights.get(letter, Fraction(0)) for letter in "dwgr")
    total = d + w + r
    if total == 0:
        raise InputError(
            f"strategy {text!r} scales nothing: give at least one of d, w, r a weight; "
            f"use {GRAMMAR}"
        )
    shares = [(share / total).limit_denominator(10**6) for share in (d, w, g, r)]
    return shares[0], shares[1], shares[2], shares[3]


def _alpha(text: str) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Table 4: a share alpha for width (and group width), the rest in equal parts for depth and
    resolution. Rounding to one in a million makes .666666667 the fraction 2/3."""
    written, alpha = text.removeprefix("alpha="), Fraction(-1)
    with suppress(ZeroDivisionError):
        if _ALPHA.fullmatch(written):
            alpha = Fraction(written).limit_denominator(10**6)
    if not 0 <= alpha <= 1:
        raise InputError(
            f"{text[:40]!r}: alpha must be a number from 0 to 1, as in 'alpha=2/3' or 'alpha=0.8'"
        )
    rest = ((1 - alpha) / 2).limit_denominator(10**6)
    return rest, alpha, alpha, rest


# the strategies of Tables 1, 2 and 4 in the paper's order
PAPER_STRATEGIES = ("d", "w", "r", "dw", "wr", "dr", "dwr", "dWr")

# strategies whose group width grows with width, as in the authors' scaler
_WITH_GROUPS = ("wg", "dwgr", "alpha=2/3")


def strategy_names() -> list[str]:
    """The named strategies: the paper's, their variants with group width, and registered ones."""
    return [*PAPER_STRATEGIES, *_WITH_GROUPS, *_own]


def register_strategy(strategy: Strategy) -> None:
    """Registers a strategy, so that its name can be used wherever a strategy is taken.

    The names of networks and records contain it. InputError for a name that is taken, or that is
    unfit for file names.

    >>> register_strategy(Strategy("halves", 0.5, 0.25, 0.25))
    >>> Strategy.parse("halves").multipliers(4.0)[0]
    2.0
    """
    if not isinstance(strategy, Strategy):
        raise InputError(f"expected a Strategy, got {strategy!r:.80}")
    name = strategy.name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name):
        raise InputError(f"strategy name {name[:60]!r}: use letters, digits and _, a letter first")
    try:
        there = Strategy.parse(name)
    except InputError:
        _own[name] = strategy
        return
    if there != strategy:
        raise InputError(f"strategy name {name!r} is taken: choose another")


def is_own_strategy(name: str | None) -> bool:
    """Whether the strategy of that name was registered by the user: others do not know it."""
    return name is not None and name.removesuffix(POW2) in _own


read_strategies(lambda text: Strategy.parse(text).spelling)
