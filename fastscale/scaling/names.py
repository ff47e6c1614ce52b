"""Names: `<base>`, `<base>.<strategy>-x<factor>` for a network, and `<network>.<recipe>` for a run (design: a run needs no file)."""

import re
from dataclasses import dataclass

from fastscale.archs import Arch, base_arch, base_names
from fastscale.errors import InputError
from fastscale.scaling.scale import scale, scaled_name
from fastscale.scaling.strategy import Strategy

LONGEST = 200  # characters of a name
# the shortest strategy, then the longest number: 'dWr-x1.85'
_STEP = re.compile(
    r"\.(?P<strategy>[^.\s]+?(?:\.\d+[^.\s]*?)*)-x(?P<factor>\d+(?:\.\d+)?(?:e-?\d+)?)(?=\.|$)",
    re.ASCII,  # another script's digits would be a second name of the same network
)
_RECIPE = re.compile(r"\.(?P<recipe>[a-z0-9][a-z0-9-]*)")


@dataclass(frozen=True)
class RunName:
    """The parts of a run's or network's name. `strategy` is None (and `factor` 1) for a base as it is; `recipe` None for a network."""

    base: str
    strategy: str | None
    factor: float
    recipe: str | None

    @property
    def arch_name(self) -> str:
        """`<base>` or `<base>.<strategy>-x<factor>`."""
        return (
            self.base
            if self.strategy is None
            else scaled_name(self.base, Strategy.parse(self.strategy), self.factor)
        )

    def arch(self) -> Arch:
        """The network that the name means."""
        base = base_arch(self.base)
        return base if self.strategy is None else scale(base, self.strategy, self.factor)


def parse_run(name: str) -> RunName:
    """The parts of `<base>[.<strategy>-x<factor>][.<recipe>]`; InputError that says which part is wrong.

    >>> parse_run("regnety-500mf.dWr-x4.imagenet-100ep")
    RunName(base='regnety-500mf', strategy='dWr', factor=4.0, recipe='imagenet-100ep')
    """
    if not isinstance(name, str):
        raise InputError(f"a name is text, got {name!r}")
    if len(name) > LONGEST:
        raise InputError(f"{name[:40]!r}...: a name has at most {LONGEST} characters")
    fits = [b for b in base_names() if name == b or name.startswith(b + ".")]
    base = (
        max(fits, key=len) if fits else base_arch(_STEP.split(name)[0]).name
    )  # the second raises, with the nearest names
    rest = name[len(base) :]
    step = _STEP.match(rest)
    rest = rest[step.end() :] if step else rest
    recipe = _RECIPE.fullmatch(rest)
    if rest and not recipe:
        form = "<base>[.<strategy>-x<factor>][.<recipe>], as in regnety-500mf.dWr-x4.imagenet-100ep"
        raise InputError(f"{name!r}: cannot read {rest!r}; write {form}")
    strategy = Strategy.parse(step["strategy"]).name if step else None
    return RunName(
        base, strategy, float(step["factor"]) if step else 1.0, recipe["recipe"] if recipe else None
    )


def arch_named(name: str) -> Arch:
    """The base or scaled network of that name, `regnety-4gf` or `regnety-4gf.dWr-x4`; InputError for any other."""
    run = parse_run(name)
    if run.recipe is not None:
        raise InputError(
            f"{name!r}: {run.recipe!r} is no scaling; write <base>.<strategy>-x<factor>, as in regnety-4gf.dWr-x4"
        )
    return run.arch()
