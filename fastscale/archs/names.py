"""The names of networks and runs, which only this module writes and reads.

A network is named `<base>[.<strategy>-x<factor>]`, a run `<network>.<recipe>`; a run needs no file.
Every name has one canonical text, fit for file names. A strategy has several spellings
(`alpha=2/3`, `d1_w4_g4_r1`); `scaling` registers a function for the canonical one by
`read_strategies`. Names with the same text are equal, however they were written.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from fastscale.archs.registry import base_arch, is_base
from fastscale.errors import InputError

LONGEST = 200  # characters of a name
_STRATEGY = r"\.(?P<strategy>[^.\s]+?(?:\.\d+[^.\s]*?)*)"
_FACTOR = r"(?P<factor>\d+(?:\.\d+)?(?:e-?\d+)?)"
# The shortest strategy, then the longest number: 'dWr-x1.85'. ASCII only: with other digits a
# network would have a second name.
_STEP = re.compile(rf"{_STRATEGY}-x{_FACTOR}(?=\.|$)", re.ASCII)
_SPELLED = re.compile(rf"{_STRATEGY}-x{_FACTOR}(?=[._]|$)", re.ASCII)  # in file names too
_RECIPE = re.compile(r"\.(?P<recipe>[a-z0-9][a-z0-9-]*)")
_readers: list[Callable[[str], str]] = []


def read_strategies(reader: Callable[[str], str]) -> None:
    """Registers the function that returns a strategy's canonical spelling, or raises InputError."""
    _readers[:] = [reader]


def factor_text(factor: float) -> str:
    """`factor` in at most twelve digits, or as many as it takes to read back the same number.

    >>> factor_text(4.0), factor_text(1.2345678), factor_text(4 / 3)
    ('4', '1.2345678', '1.3333333333333333')
    """
    short = f"{factor:.12g}"
    return short if float(short) == factor else repr(float(factor))


@dataclass(frozen=True)
class NetworkName:
    """The name of a base or scaled network. Two are equal if their texts (`name`, `str`) are.

    `strategy` is as it was written. An unscaled base has strategy None and factor 1.

    >>> str(NetworkName("regnety-4gf", "alpha=2/3", 4.0))
    'regnety-4gf.d1_w4_g4_r1-x4'
    """

    base: str = field(compare=False)
    strategy: str | None = field(default=None, compare=False)
    factor: float = field(default=1.0, compare=False)
    name: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = self.base
        if self.strategy is not None:
            text += f".{strategy_spelling(self.strategy)}-x{factor_text(self.factor)}"
        object.__setattr__(self, "name", text)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, text: str, known: bool = True) -> "NetworkName":
        """Reads a network's name. InputError for any other text.

        `known`: whether base and strategy must be known; if not, all before the first dot is the
        base.

        >>> NetworkName.parse("regnety-500mf.dWr-x4")
        NetworkName(base='regnety-500mf', strategy='dWr', factor=4.0)
        """
        name, recipe = _parts(text, known)
        if recipe is not None:
            raise InputError(
                f"{text!r}: {recipe!r} is not a scaling; write <base>.<strategy>-x<factor>, "
                "as in regnety-4gf.dWr-x4"
            )
        return name


@dataclass(frozen=True)
class RunName:
    """The name of a run: a network and its recipe, or its measurement (`<network>.time`, ...).

    >>> str(RunName(NetworkName("regnety-500mf"), "quick"))
    'regnety-500mf.quick'
    """

    network: NetworkName
    recipe: str

    def __str__(self) -> str:
        return f"{self.network}.{self.recipe}"

    @classmethod
    def parse(cls, text: str, known: bool = True) -> "RunName":
        """Reads a run's name. InputError says which part is wrong. `known`: as for a network.

        >>> RunName.parse("regnety-500mf.dWr-x4.imagenet-100ep").recipe
        'imagenet-100ep'
        """
        network, recipe = _parts(text, known)
        if recipe is None:
            raise InputError(
                f"{text!r} names no recipe: write <base>[.<strategy>-x<factor>].<recipe>, as in "
                f"{network}.imagenet-100ep"
            )
        return cls(network, recipe)


def network_and_recipe(text: str) -> tuple[NetworkName, str | None]:
    """The network that a text names, and its recipe or None.

    >>> network_and_recipe("regnety-500mf.dWr-x4")[1], network_and_recipe("regnety-tiny.quick")[1]
    (None, 'quick')
    """
    return _parts(text, known=True)


def released_name(network: str, data: str) -> str:
    """`<network>_<data>`: the name of a released checkpoint without its hash.

    >>> released_name("regnety-tiny.alpha=2/3-x4", "cifar10")
    'regnety-tiny.d1_w4_g4_r1-x4_cifar10'
    """
    return f"{canonical(network)}_{data}"


@lru_cache(maxsize=8192)
def canonical(text: str) -> str:
    """The canonical name of a network, a run or a released file; any other text is unchanged.

    Old names spell a strategy `alpha=2/3` or, in files, `alpha=2-over-3`.

    >>> canonical("regnety-tiny.alpha=2-over-3-x4.0.quick"), canonical("what else")
    ('regnety-tiny.d1_w4_g4_r1-x4.quick', 'what else')
    """

    def one(match: re.Match[str]) -> str:
        try:
            strategy, factor = _readers[0](_as_typed(match["strategy"])), float(match["factor"])
        except InputError:
            return match[0]
        return f".{strategy}-x{factor_text(factor)}" if math.isfinite(factor) else match[0]

    return text if len(text) > 2 * LONGEST else _SPELLED.sub(one, text, count=1)


def base_of(name: str) -> str:
    """The base of a network, by its name alone; an unscaled network is its own base.

    >>> base_of("mine.dWr-x2"), base_of("regnetx-400mf.dds")
    ('mine', 'regnetx-400mf.dds')
    """
    return _STEP.split(name, maxsplit=1)[0]


def _as_typed(strategy: str) -> str:
    """The spelling of old file names, `alpha=2-over-3`, as `alpha=2/3`."""
    return strategy.replace("-over-", "/")


def strategy_spelling(strategy: str) -> str:
    """The canonical spelling of a strategy. An unknown one is unchanged if it is fit for file
    names, else InputError.

    >>> strategy_spelling("dwrg"), strategy_spelling("alpha=.5"), strategy_spelling("theirs")
    ('dwgr', 'd1_w2_g2_r1', 'theirs')
    """
    try:
        return _readers[0](strategy)
    except InputError:
        if re.fullmatch(r"[A-Za-z0-9_.=+]+(-pow2)?", strategy):
            return strategy
        raise


def _parts(text: str, known: bool) -> tuple[NetworkName, str | None]:
    """The network and the recipe; None if the text ends with the network."""
    if not isinstance(text, str):
        raise InputError(f"expected a name (str), got {text!r:.80}")
    if len(text) > LONGEST:
        raise InputError(f"{text[:40]!r}...: a name has at most {LONGEST} characters")
    words = text.split(".")
    starts = (".".join(words[:n]) for n in range(len(words), 0, -1))
    if fits := next((start for start in starts if is_base(start)), ""):
        base = base_arch(fits).name
    elif known:
        base = base_arch(_STEP.split(text)[0]).name  # raises, with similar names
    else:
        base = text.partition(".")[0]
    rest = text[len(base) :]
    step = _STEP.match(rest)
    rest = rest[step.end() :] if step else rest
    recipe = _RECIPE.fullmatch(rest)
    if rest and not recipe:
        form = "<base>[.<strategy>-x<factor>][.<recipe>], as in regnety-500mf.dWr-x4.imagenet-100ep"
        raise InputError(f"{text!r}: cannot read {rest!r}; write {form}")
    network = NetworkName(base)
    if step:
        strategy = _as_typed(step["strategy"])
        if known:
            _readers[0](strategy)  # raises, with the grammar
        network = NetworkName(base, strategy, float(step["factor"]))
    return network, recipe["recipe"] if recipe else None
