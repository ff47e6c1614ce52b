"""Typed models for the declarations in `configs/artifacts`; an error is one line.

A model is a class of fields. A wrong, unknown or missing key is an InputError that names its place,
the key, the value expected and the nearest valid one. Drawings and measures of claims register here
by a decorator, each with its model:

    @drawing("panels", spec=Panels)
    def draw_panels(artifact: Artifact, spec: Panels, records: Sequence[Record]) -> Output: ...
"""

import importlib
import pkgutil
import re
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from fastscale.common import did_you_mean
from fastscale.errors import InputError
from fastscale.scaling import Strategy, arch_named
from fastscale.typed import STRICT, problem

T = TypeVar("T")
Spec = TypeVar("Spec", bound="Declared")


class Declared(BaseModel):
    """A part of a declaration: immutable, no unknown keys, no conversion of types."""

    model_config = ConfigDict(**STRICT, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, content: Any) -> Any:
        names = list(cls.model_fields)
        if not isinstance(content, dict):
            raise ValueError(f"expected the keys {', '.join(names)}, got {str(content)[:80]!r}")
        for key in content:
            if key not in names:
                raise ValueError(f"unknown key {str(key)[:80]!r}; {did_you_mean(key, names)}")
        needed = [name for name, field in cls.model_fields.items() if field.is_required()]
        if missing := [repr(name) for name in needed if name not in content]:
            raise ValueError(f"missing key {', '.join(missing)}")
        return content


def read(model: type[Spec], content: Any, where: str = "") -> Spec:
    """`content` as a `model`. Raises InputError with one line that begins with `where`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(": ".join(filter(None, [where, _in_words(error)]))) from None


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    places = [p for p in first["loc"] if p != "[key]"]
    where = "".join(f"entry {p + 1}: " if isinstance(p, int) else f"{p}: " for p in places)
    hint = ""
    if first["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        near = did_you_mean(first["input"], words)
        hint = f"; {near}" if near.startswith("did you mean") else ""
    return f"{where}{problem(first)}{hint}"


# ---- the types of fields ------------------------------------------------------------------------


def _one_line(text: str) -> str:
    if not text.strip() or "\n" in text.strip():
        raise ValueError(f"must be one line of text, not {text[:80]!r}")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("must be a text")
    return text


def _named(reader: Callable[[str], Any]) -> AfterValidator:
    """A validator of names by `reader`, which raises for a wrong one."""

    def check(name: str) -> str:
        reader(name)
        return name

    return AfterValidator(check)


Some = Annotated[tuple[T, ...], Field(strict=False, min_length=1, max_length=1000)]
Many = Annotated[tuple[T, ...], Field(strict=False, max_length=1000)]
Line = Annotated[str, AfterValidator(_one_line)]
Text = Annotated[str, AfterValidator(_not_empty)]
Network = Annotated[str, _named(arch_named)]
Scaling = Annotated[str, _named(Strategy.parse)]
Count = Literal["flops", "params", "acts"]
Quantity = Literal["flops", "params", "acts", "time", "error"]
Positive = Annotated[float, Field(ge=1e-3, le=1e6)]
Whole = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


# ---- registries ---------------------------------------------------------------------------------


class Registry(Generic[T]):
    """Kinds by name, registered on import of the module `modules` or of that package's modules."""

    def __init__(self, what: str, modules: str):
        self.what, self.modules = what, modules
        self._kinds: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str, kind: T) -> None:
        self._kinds[name] = kind

    def kinds(self) -> dict[str, T]:
        """All kinds by name."""
        if not self._loaded:
            found = importlib.import_module(self.modules)
            for module in pkgutil.iter_modules(getattr(found, "__path__", ())):
                importlib.import_module(f"{self.modules}.{module.name}")
            self._loaded = True
        return self._kinds

    def kind(self, name: Any) -> T:
        """The kind of that name. Raises InputError with the nearest name."""
        known = self.kinds()
        if not isinstance(name, str) or name not in known:
            text = f"must be one of {', '.join(sorted(known))}, got {str(name)[:80]!r}"
            near = did_you_mean(name, known)
            raise InputError(f"{text}; {near}" if near.startswith("did you mean") else text)
        return known[name]
