"""Checks that every arch runs on itself when it is made, each with a text that says what would be right."""

import math
from collections.abc import Mapping, Sequence

from fastscale.errors import InputError


def check_stages(name: str, per_stage: Mapping[str, Sequence[float]]) -> None:
    """InputError unless every per-stage list has one positive, finite value for each of at least one stage."""
    lengths = {field: len(values) for field, values in per_stage.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise InputError(
            f"{name}: every per-stage list needs one value a stage, got lengths {lengths}"
        )
    for field, values in per_stage.items():
        if not all(math.isfinite(v) and v > 0 for v in values):
            raise InputError(
                f"{name}: {field} must all be positive and finite, got {tuple(values)}"
            )


def check_whole(name: str, **fields: float | Sequence[float]) -> None:
    """InputError unless each field holds whole numbers >= 1."""
    for field, value in fields.items():
        for v in value if isinstance(value, Sequence) else (value,):
            if not isinstance(v, int) or isinstance(v, bool) or v < 1:
                raise InputError(f"{name}: {field} must be whole and at least 1, got {value}")


def check_choice(name: str, field: str, value: str, known: Sequence[str]) -> None:
    """InputError unless `value` is one of `known`."""
    if value not in known:
        raise InputError(f"{name}: {field} {value!r} is unknown, use one of {', '.join(known)}")


def check_resolution(name: str, resolution: int, total_stride: int) -> None:
    """InputError unless an input of `resolution` pixels is left with at least one pixel after every stride."""
    if not isinstance(resolution, int) or isinstance(resolution, bool) or resolution < total_stride:
        raise InputError(
            f"{name}: resolution {resolution} is too small for the network's total stride: give a whole number >= {total_stride}"
        )
