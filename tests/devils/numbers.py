"""Cases: invalid numbers in the public API and for every numeric option of every verb."""

import argparse
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from fastscale.cli import parser
from tests.devils.names import api
from tests.devils.rule import MAY, MUST, Case, command

HUGE = 10**400
NEVER_GOOD: dict[str, Any] = {
    "nan": float("nan"),
    "inf": float("inf"),
    "minus-inf": -float("inf"),
    "minus": -1,
    "zero": 0,
    "10^400": HUGE,
    "minus-10^400": -HUGE,
    "text": "abc",
    "empty": "",
    "list": [],
    "complex": 2 + 3j,
    "bytes": b"4",
    "object": object(),
}
TOO_LARGE: dict[str, Any] = {"1e308": 1e308, "1e20": 1e20, "10^30": 10**30}
TEXTS = {
    "nan": "nan",
    "inf": "inf",
    "minus-inf": "-inf",
    "1e308": "1e308",
    "10^400": str(HUGE),
    "text": "abc",
    "empty": "",
    "hex": "0x10",
    "escape": "\x1b[31m",
    "comma": "1,5",
    "two": "1 2",
    "1e400": "1e400",
}
DOUBTFUL = {"minus": "-1", "zero": "0", "1e20": "1e20", "half": "0.5"}
MAY_BE_MINUS = ("workers",)


def calls() -> dict[str, tuple[Callable[[Any], Any], bool]]:
    """Functions of one number, and whether a huge one may be valid (a budget)."""
    fs = api()
    found: dict[str, tuple[Callable[[Any], Any], bool]] = {
        "scale": (lambda v: fs.scale("regnety-tiny", "dWr", v), False),
        "complexity-resolution": (lambda v: fs.complexity("regnety-tiny", resolution=v), False),
        "complexity-classes": (lambda v: fs.complexity("regnety-tiny", num_classes=v), False),
        "build-classes": (lambda v: fs.build("regnety-tiny", num_classes=v), False),
        "device-batch": (lambda v: fs.predict_time("regnety-4gf", "v100", v), False),
        **{
            f"predict-{name}": (
                lambda v, n=name: fs.predict_time("regnety-4gf", "v100", **{n: v}),
                False,
            )
            for name in ("images", "devices", "resolution", "num_classes")
        },
        **{
            f"scale_to-{name}": (
                lambda v, n=name: fs.scale_to("regnety-tiny", "dWr", **{n: v}),
                False,
            )
            for name in ("flops", "params", "acts")
        },
        **{
            f"plan-{name}": (
                lambda v, n=name: fs.plan("regnety-500mf", "dWr", device="v100", **{n: v}),
                True,
            )
            for name in ("flops", "params", "acts", "epoch_time_min", "memory_mib")
        },
        **{
            f"plan-{name}": (
                lambda v, n=name: fs.plan(
                    "regnety-500mf", "dWr", device="v100", epoch_time_min=10, **{n: v}
                ),
                False,
            )
            for name in ("batch", "images", "devices", "num_classes")
        },
    }
    return found


def recipe_with(name: str, value: Any) -> Any:
    from fastscale.training.recipe import Recipe

    return Recipe.from_dict({name: value})


def recipe_numbers() -> dict[str, Any]:
    """Numeric settings of a recipe and their defaults."""
    from dataclasses import fields

    from fastscale.training.recipe import Recipe

    return {
        f.name: f.default
        for f in fields(Recipe)
        if type(f.default) in (int, float) or "None" in str(f.type)
    }


def data_with(place: Any, **changes: Any) -> Any:
    from fastscale.data.module import ImageData

    place.made.store.exists()
    return ImageData(place.made.source, str(place.made.home / "data"), **changes)


def leaves(
    level: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every verb's words and parser."""
    below = [a for a in level._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield path, level
    for action in below:
        for name, child in action.choices.items():
            yield from leaves(child, (*path, name))


def is_numeric(action: argparse.Action) -> type | None:
    """int or float for an option that takes such a number."""
    if not callable(action.type) or action.type is str:
        return None
    for text in ("7", "0.7"):
        try:
            value = action.type(text)
        except Exception:
            continue
        return type(value) if type(value) in (int, float) else None
    return None


def words(
    path: tuple[str, ...], level: argparse.ArgumentParser, action: argparse.Action, text: str
) -> list[str]:
    """A command line with that number, whose other arguments name nothing that exists."""
    out = list(path)
    for other in level._actions:
        if other is action and not other.option_strings:
            out += ["--", text] if text.startswith("-") else [text]
        elif not other.option_strings and other.nargs != "?" and other.dest != "pattern":
            out.append("no-such-thing")
        elif other.required and other.option_strings:
            out += [other.option_strings[0], next(iter(other.choices or ["no-such-thing"]))]
    return [*out, f"{action.option_strings[0]}={text}"] if action.option_strings else out


def cases() -> Iterator[Case]:
    """Numbers in the API, recipes, the data module and options."""
    for name, (call, huge_is_right) in calls().items():
        for kind, value in {**NEVER_GOOD, **TOO_LARGE}.items():
            lenient = huge_is_right and kind in (*TOO_LARGE, "10^400")
            yield Case(
                f"api-{name}-{kind}",
                lambda place, c=call, v=value: c(v),
                MAY if lenient else MUST,
                group=f"api-{name}",
            )
        for kind, value in {"true": True, "fraction": Fraction(1, 3), "string": "4"}.items():
            yield Case(
                f"api-{name}-{kind}",
                lambda place, c=call, v=value: c(v),
                MAY,
                group=f"api-{name}",
            )
    for name in recipe_numbers():
        for kind in ("nan", "inf", "minus-inf", "10^400", "1e308", "text", "list", "object"):
            value = {**NEVER_GOOD, **TOO_LARGE}[kind]
            yield Case(
                f"recipe-{name}-{kind}",
                lambda place, n=name, v=value: recipe_with(n, v),
                names=(name,),
                group=f"recipe-{name}",
            )
        yield Case(
            f"recipe-{name}-minus",
            lambda place, n=name: recipe_with(n, -1),
            names=(name,),
            group=f"recipe-{name}",
        )
    for name in (
        "batch_size",
        "eval_batch_size",
        "workers",
        "resolution",
        "test_resolution",
        "limit_train",
        "seed",
    ):
        for kind in ("nan", "inf", "1e20", "10^30", "text", "half"):
            value = {**NEVER_GOOD, **TOO_LARGE, "half": 0.5}[kind]
            yield Case(
                f"data-{name}-{kind}",
                lambda place, n=name, v=value: data_with(place, **{n: v}),
                group=f"data-{name}",
            )
    for path, level in leaves(parser()):
        for action in level._actions:
            if (kind_of := is_numeric(action)) is None:
                continue
            own = action.option_strings[0] if action.option_strings else action.dest
            for kind, text in {**TEXTS, **DOUBTFUL}.items():
                strict = kind in TEXTS or (kind == "minus" and action.dest not in MAY_BE_MINUS)
                strict |= kind in ("1e20", "half") and kind_of is int
                line = words(path, level, action, text)
                group = f"option-{'-'.join(path)}-{own.strip('-')}"
                yield Case(
                    f"{group}-{kind}",
                    lambda place, line=line: command(*line),
                    MUST if strict else MAY,
                    names=(own, action.dest) if strict else (),
                    group=group,
                )
