"""The keys that a declared drawing and a claim's measure have, and what each may hold: one table.

A key that ends in `?` may be absent. A wrong one is an InputError that names it, when the file is
read and not when something is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastscale.archs.registry import nearest
from fastscale.common import number
from fastscale.errors import InputError
from fastscale.scaling import Strategy, arch_named

# says in words what is wanted where a value is something else
Check = Callable[[Any], str | None]
Keys = Mapping[str, "Check | Keys"]
COUNTS = ("flops", "params", "acts")
MEASURES = (*COUNTS, "time", "error")


def text(value: Any) -> str | None:
    """A text that is not empty."""
    return None if isinstance(value, str) and value.strip() else "a text"


def flag(value: Any) -> str | None:
    """true or false."""
    return None if isinstance(value, bool) else "true or false"


def one_of(*words: str) -> Check:
    """One of these words."""
    return lambda v: None if isinstance(v, str) and v in words else f"one of {', '.join(words)}"


def within(least: float, most: float, whole: bool = False) -> Check:
    """A number in a range."""

    def check(value: Any) -> str | None:
        said = f"a {'whole ' * whole}number from {least:g} to {most:g}"
        try:
            if isinstance(value, str):
                return said
            number(value, least, most, whole)
        except ValueError:
            return said
        return None

    return check


def each(item: "Check | Keys", least: int = 1, most: int = 1000) -> Check:
    """A list of such values."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            return f"a list of {least} or more" if most == 1000 else f"a list of {least} to {most}"
        for v in value:
            if isinstance(item, Mapping):
                check_keys(v, item, "an entry")
            elif (wanted := item(v)) is not None:
                return f"a list, each entry {wanted}"
        return None

    return check


def named(reader: Callable[[str], Any]) -> Check:
    """A name that `reader` takes, whose own InputError says what is wrong with it."""

    def check(value: Any) -> str | None:
        if text(value) is None:
            reader(value)
        return text(value)

    return check


def either(*checks: Check) -> Check:
    """What one of the checks takes."""

    def check(value: Any) -> str | None:
        found = [c(value) for c in checks]
        return None if None in found else " or ".join(map(str, found))

    return check


NETWORK, STRATEGY = named(arch_named), named(Strategy.parse)
_EPOCHS = within(1, 100_000, True)
_PANEL: Keys = {"y": one_of(*MEASURES), "x": one_of(*MEASURES), "base?": NETWORK}
_BLOCK: Keys = {
    "arch": NETWORK,
    "stage": within(0, 100, True),
    "index": within(0, 1000, True),
    "title": text,
}
DRAWINGS: dict[str, Keys] = {
    "panels": {
        "points": each(text, 0),
        "look": one_of("strategy", "family"),
        "columns": within(1, 3, True),
        "panels": each(_PANEL),
        "keep?": each(text),
        "epochs?": _EPOCHS,
    },
    "runtime": {
        "points": one_of("fig2", "zoo"),
        "acts_range_m?": within(1e-3, 1e6),
        "log?": flag,
    },
    "blocks": {"blocks": each(_BLOCK)},
    "accelerators": {"shown": each(text)},
    "curves": {"runs": each({"run": text, "seed": within(0, 1e9, True)}, 1, 1)},
    "paired": {
        "tier": one_of("quick", "full"),
        "classes": within(1, 1e6, True),
        "sizes": each(within(1e-3, 1e6)),
        "reference": STRATEGY,
        "margin": within(0, 100),
    },
}
_NAMES = either(each(NETWORK), NETWORK)
_OF_POINTS: Keys = {"points?": each(text), "epochs?": _EPOCHS}
# a measure is called by its first key
CLAIMED: dict[str, Keys] = {
    "exponents": {"exponents": text},
    "growth": {"growth": one_of(*COUNTS), "strategy": STRATEGY},
    "within": {"within": one_of("published-counts", "definitions")},
    "exact": {"exact": one_of("zoo")},
    "correlation": {"correlation": one_of(*COUNTS, "families"), "pool": text},
    "difference": {
        "difference": one_of(*MEASURES),
        "of": NETWORK,
        "minus": _NAMES,
        **_OF_POINTS,
    },
    "ratio": {
        "ratio": one_of(*MEASURES),
        "of": NETWORK,
        "to": _NAMES,
        "expected?": one_of(*COUNTS),
        **_OF_POINTS,
    },
    "margin": {"margin": each(one_of(*COUNTS), 2, 2), "file": text},
    "paired": {"paired": STRATEGY, "minus": STRATEGY},
    "exponents_off": {"exponents_off": one_of(*COUNTS)},
    "time_correlation": {"time_correlation": one_of(*COUNTS)},
}
OF_PAIRED = ("paired", "exponents_off", "time_correlation")  # measures of such a drawing alone


def check_drawing(drawing: Any) -> None:
    """InputError unless it is one of DRAWINGS, named by its key `by`."""
    by = drawing.get("by") if isinstance(drawing, dict) else None
    if not isinstance(by, str) or by not in DRAWINGS:
        raise InputError(f"drawing: by must be one of {', '.join(DRAWINGS)}")
    check_keys(drawing, {"by": text, **DRAWINGS[by]}, "drawing")


def check_measure(measure: Any, where: str) -> None:
    """InputError unless it is one of CLAIMED."""
    known = [k for k in measure if k in CLAIMED] if isinstance(measure, dict) else []
    if not known:
        said = f"{where}: measure must say how the number is computed, not {measure!r}"
        raise InputError(f"{said}; the ways are {', '.join(CLAIMED)}")
    check_keys(measure, CLAIMED[known[0]], f"{where}: measure")


def check_keys(content: Any, keys: Keys, where: str) -> None:
    """InputError that names the first key of `content` that is unknown, missing or wrong."""
    names = [key.rstrip("?") for key in keys]
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected {', '.join(names)}, got {str(content)[:80]!r}")
    for key in content:
        if key not in names:
            near = nearest(str(key), names)
            raise InputError(f"{where}: unknown key {str(key)!r}; there are, nearest first: {near}")
    if missing := [key for key in keys if key[-1] != "?" and key not in content]:
        raise InputError(f"{where}: missing key {', '.join(map(repr, missing))}")
    for key, check in keys.items():
        name = key.rstrip("?")
        if name not in content:
            continue
        try:
            if isinstance(check, Mapping):
                check_keys(content[name], check, f"{where}: {name}")
            elif (wanted := check(content[name])) is not None:
                raise InputError(f"wanted {wanted}, got {str(content[name])[:80]!r}")
        except InputError as error:
            raise InputError(f"{where}: {name}: {error}") from None


def check_strategies(wanted: Sequence[str], there: Sequence[str | None], where: str) -> None:
    """InputError for a strategy that the plan has no network of: nothing would be compared."""
    for strategy in wanted:
        if strategy not in there:
            known = ", ".join(s for s in dict.fromkeys(there) if s)
            raise InputError(f"{where}: no network is scaled by {strategy!r}; there are {known}")
