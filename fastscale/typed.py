"""Dataclasses checked by pydantic, for files that anybody may have written. A mistake in one is an
InputError of one line."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from fastscale.common import plain
from fastscale.errors import InputError

T = TypeVar("T")

# no unknown fields and no conversions: neither 1.0 nor true is the whole number 1
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def made(kind: Callable[..., T], values: Mapping[str, Any], where: str = "") -> T:
    """`kind(**values)`; InputError beginning with `where` and naming the first wrong field."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise InputError(f"{where}: {in_words(error)}".removeprefix(": ")) from None


def in_words(error: ValidationError) -> str:
    """The first error as a message: `errors.top1_error.n must be greater than 0, not -1`."""
    first = error.errors(include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] in ("missing", "missing_argument"):
        return f"missing field {name!r}"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown field {name[:80]!r}"
    return f"{name} {problem(first)}".strip()


def problem(found: Mapping[str, Any]) -> str:
    """One of pydantic's errors without the field's name: `must be greater than 0, not '-1'`."""
    if "error" in found.get("ctx", {}):  # a check of ours
        return str(found["ctx"]["error"])
    wanted = re.sub(r"^.*? should (be|have|match)", r"must \1", found["msg"])
    wanted = re.sub(r" after validation, not \d+", "", wanted.replace("tuple", "list"))
    return f"{wanted}, not {plain(str(found['input']))[:80]!r}"


def checked(right: Callable[[Any], bool], wanted: str) -> AfterValidator:
    """An additional check of a field; `wanted` describes a right value, for the message."""

    def check(value: Any) -> Any:
        if not right(value):
            raise ValueError(f"must be {wanted}, not {plain(str(value))[:80]!r}")
        return value

    return AfterValidator(check)


def _one_line(text: str) -> bool:
    fits = bool(text.strip()) and len(text) <= 1000 and not {"\n", "\t"} & set(text)
    return fits and plain(text) == text


Text = Annotated[str, checked(_one_line, "a text of one line")]
Texts = Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)]
Count = Annotated[int, Field(gt=0, lt=1 << 62)]
Percent = Annotated[float, Field(ge=0, le=100)]
