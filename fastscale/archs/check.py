"""Checks that archs run when they are made; each error says what would be right."""

import math
import re
from collections.abc import Mapping, Sequence

from fastscale.errors import InputError

# Far beyond what anyone has trained (the paper's largest: 100 blocks, 10^9 params, 700 px), yet
# small enough to count. Names and checkpoints that ask for more are refused.
MOST_BLOCKS = 10_000
MOST_WIDTH = 1_000_000  # channels
MOST_PARAMS = 10**11
MOST_CLASSES = 1_000_000
LEAST_RESOLUTION, MOST_RESOLUTION = 8, 4096  # pixels
MOST_TEST_RESOLUTION = 2 * MOST_RESOLUTION


def check_stages(name: str, per_stage: Mapping[str, Sequence[float]]) -> None:
    """InputError unless every list has one positive, finite value per stage, and at least one."""
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


def check_size(
    name: str, depths: Sequence[int], widths: Sequence[int], ratios: Sequence[float], stem: int
) -> None:
    """InputError for a network far too large to build, found without counting or building it.

    `ratios`: hidden width / width. The params of a stage are at least those of the two 1x1 convs of
    each block; the first conv of the first block may be narrower.
    """
    if (blocks := sum(depths)) > MOST_BLOCKS:
        raise InputError(f"{name}: {said_number(blocks)} blocks: give at most {MOST_BLOCKS:,}")
    if (widest := max(*widths, stem)) > MOST_WIDTH:
        raise InputError(f"{name}: {said_number(widest)} channels: give at most {MOST_WIDTH:,}")
    stages = zip(depths, widths, ratios, strict=True)
    params = int(sum((2 * d - 1) * w * w * ratio for d, w, ratio in stages))
    if params > MOST_PARAMS:
        raise InputError(f"{name}: over {said_number(params)} params: give at most {MOST_PARAMS:,}")


def check_classes(num_classes: object) -> None:
    """InputError unless `num_classes` is a number of classes that a network can have."""
    whole = isinstance(num_classes, int) and not isinstance(num_classes, bool)
    if not whole or not 1 <= num_classes <= MOST_CLASSES:  # type: ignore[operator]
        raise InputError(
            f"num_classes must be a whole number >= 1 and at most {MOST_CLASSES:,}, "
            f"got {said_number(num_classes)}"
        )


def check_resolution(
    name: str, resolution: int, total_stride: int, most: int = MOST_RESOLUTION
) -> None:
    """InputError unless `resolution` is a size of images and all strides leave a pixel of it."""
    least = max(LEAST_RESOLUTION, total_stride)
    if not isinstance(resolution, int) or isinstance(resolution, bool):
        got = said_number(resolution)
        raise InputError(f"{name}: resolution {got}: give a whole number >= {least}")
    if resolution < least:
        raise InputError(
            f"{name}: resolution {resolution} is too small for the network's total stride: "
            f"give a whole number >= {least}"
        )
    if resolution > most:
        got = said_number(resolution)
        raise InputError(f"{name}: resolution {got} is too large: give at most {most:,}")


def said_number(value: object) -> str:
    """A short form of any value for messages (Python refuses to print an int of 5,000 digits)."""
    if isinstance(value, bool) or not isinstance(value, int):
        return repr(value)[:40]
    if abs(value) < 10**15:
        return f"{value:,}"
    return f"about {'-' * (value < 0)}10^{int(value.bit_length() * math.log10(2))}"


def check_name(name: object) -> None:
    """InputError unless `name` can name a network."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][A-Za-z0-9_.=+-]{0,149}", name):
        raise InputError(
            f"{name!r:.80} cannot name a network: use lower-case letters, digits, - and _"
        )
