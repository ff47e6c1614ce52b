"""Which operations an image gets: AutoAugment (Cubuk et al. 2019) and RandAugment (2020).

An operation is (name, value), the value in its final unit: degrees, a factor, a share of the side,
a threshold, bits. A policy is a list of sub-policies; one is drawn for each image. Each of its two
operations is applied with its probability. A signed value is negated half of the time. Policies:

- `autoaugment`: the 25 published ImageNet sub-policies (appendix of the paper). Magnitudes 0 to 9
  span the published ranges as in torchvision, so a higher magnitude changes more. timm's
  "original" has the same table, but reverses posterize, solarize and the colour factors.
- `autoaugment-v0`: the table and ranges of EfficientNet's official code, which the authors' code
  (pycls) calls AutoAugment. Magnitudes 0 to 10; posterize keeps at least one bit, as there.
- `randaugment`: two of 14 operations, each at magnitude 9 of 30, with torchvision's ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from fastscale.errors import InputError

Op = tuple[str, float]
# probability; the operation with either sign, None: leave the image unchanged
Choice = tuple[float, tuple[Op | None, Op | None]]
AUGMENTATIONS = ("none", "autoaugment", "autoaugment-v0", "randaugment")
DRAWS = 5  # random numbers that an image needs at most
MOST_OPS = 2  # operations on an image; RandAugment's "N"
RAND_MAGNITUDE = 9  # RandAugment's "M", out of RAND_STEPS
RAND_STEPS = 30

IMAGENET = """
posterize    .4 8   rotate       .6 9
solarize     .6 5   autocontrast .6 0
equalize     .8 0   equalize     .6 0
posterize    .6 7   posterize    .6 6
equalize     .4 0   solarize     .2 4
equalize     .4 0   rotate       .8 8
solarize     .6 3   equalize     .6 0
posterize    .8 5   equalize      1 0
rotate       .2 3   solarize     .6 8
equalize     .6 0   posterize    .4 6
rotate       .8 8   color        .4 0
rotate       .4 9   equalize     .6 0
equalize      0 0   equalize     .8 0
invert       .6 0   equalize      1 0
color        .6 4   contrast      1 8
rotate       .8 8   color         1 2
color        .8 8   solarize     .8 7
sharpness    .4 7   invert       .6 0
shear_x      .6 5   equalize      1 0
color        .4 0   equalize     .6 0
equalize     .4 0   solarize     .2 4
solarize     .6 5   autocontrast .6 0
invert       .6 0   equalize      1 0
color        .6 4   contrast      1 8
equalize     .8 0   equalize     .6 0
"""

EFFICIENTNET_V0 = """
equalize     .8 0   shear_y      .8 4
color        .4 9   equalize     .6 0
color        .4 1   rotate       .6 8
solarize     .8 3   equalize     .4 0
solarize     .4 2   solarize     .6 2
color        .2 0   equalize     .8 0
equalize     .4 0   solarize_add .8 3
shear_x      .2 9   rotate       .6 8
color        .6 1   equalize      1 0
invert       .4 0   rotate       .6 0
equalize      1 0   shear_y      .6 3
color        .4 7   equalize     .6 0
posterize    .4 6   autocontrast .4 0
solarize     .6 8   color        .6 9
solarize     .2 4   rotate       .8 9
rotate        1 7   translate_y  .8 9
shear_x       0 0   solarize     .8 4
shear_y      .8 0   color        .6 4
color         1 0   rotate       .6 2
equalize     .8 0   equalize      0 0
equalize      1 0   autocontrast .6 0
shear_y      .4 7   solarize_add .6 7
posterize    .8 2   solarize     .6 10
solarize     .6 8   equalize     .6 0
color        .8 6   rotate       .4 5
"""

RAND = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness"),
    *("color", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"),
)

# the highest value of operations with a sign
_SIGNED = {
    "shear_x": 0.3,
    "shear_y": 0.3,
    "translate_x": 150 / 331,
    "translate_y": 150 / 331,
    "rotate": 30.0,
}
_FACTORS = ("brightness", "color", "contrast", "sharpness")
_FIXED = ("autocontrast", "equalize", "invert")


def published(name: str, share: float) -> tuple[Op | None, Op | None]:
    """The operation with either sign at a share 0..1 of its range.

    AutoAugment's ranges, in torchvision's direction.
    """
    if share == 0 and (name in _SIGNED or name in _FACTORS):
        return None, None
    if name in _SIGNED:
        return (name, _SIGNED[name] * share), (name, -_SIGNED[name] * share)
    if name in _FACTORS:
        return (name, 1 + 0.9 * share), (name, 1 - 0.9 * share)
    values: dict[str, Op | None] = {
        "posterize": (name, 8 - round(4 * share)),
        "solarize": (name, 255 * (1 - share)),
        "identity": None,
        **dict.fromkeys(_FIXED, (name, 0)),
    }
    return values[name], values[name]


def efficientnet(name: str, share: float) -> tuple[Op | None, Op | None]:
    """As `published`, with the ranges of EfficientNet's official code."""
    if name in _SIGNED and share == 0:
        return None, None
    if name in _SIGNED:
        top = 0.45 if name.startswith("translate") else _SIGNED[name]
        return (name, top * share), (name, -top * share)
    values = {
        "posterize": max(1, int(4 * share)),
        "solarize": int(256 * share),
        "solarize_add": int(110 * share),
        **dict.fromkeys(_FACTORS, 0.1 + 1.8 * share),
        **dict.fromkeys(_FIXED, 0),
    }
    return (name, values[name]), (name, values[name])


def _read(
    table: str, values: Callable[[str, float], tuple[Op | None, Op | None]], top: int
) -> tuple[tuple[Choice, Choice], ...]:
    policy = []
    for line in table.strip().splitlines():
        name, chance, level, name2, chance2, level2 = line.split()
        first = float(chance), values(name, int(level) / top)
        policy.append((first, (float(chance2), values(name2, int(level2) / top))))
    return tuple(policy)


@cache
def policy(augmentation: str) -> tuple[tuple[Choice, Choice], ...]:
    """The sub-policies of an AutoAugment policy."""
    return (
        _read(IMAGENET, published, 9)
        if augmentation == "autoaugment"
        else _read(EFFICIENTNET_V0, efficientnet, 10)
    )


@cache
def rand_choices() -> tuple[tuple[Op | None, Op | None], ...]:
    """RandAugment's operations with either sign."""
    return tuple(published(name, RAND_MAGNITUDE / RAND_STEPS) for name in RAND)


def check(augmentation: str) -> None:
    """InputError for an unknown augmentation."""
    if augmentation not in AUGMENTATIONS:
        names = ", ".join(AUGMENTATIONS)
        raise InputError(f"unknown augmentation {augmentation!r} (choose from {names})")


@cache
def operation_table(augmentation: str) -> tuple[Op, ...]:
    """Every operation that may be drawn, once; `numbers` holds indices into it."""
    return tuple(dict.fromkeys(op for _, pair in _choices(augmentation) for op in pair if op))


def _choices(augmentation: str) -> tuple[Choice, ...]:
    if augmentation == "none":
        return ()
    if augmentation == "randaugment":
        return tuple((1.0, pair) for pair in rand_choices())
    return tuple(choice for sub in policy(augmentation) for choice in sub)


@cache
def _arrays(augmentation: str) -> tuple[np.ndarray, np.ndarray]:
    """For every choice: its probability (C,), and the operation's index for either sign (C, 2)."""
    table = {op: k for k, op in enumerate(operation_table(augmentation))}
    choices = _choices(augmentation)
    numbers = [[table.get(op, -1) if op else -1 for op in pair] for _, pair in choices]
    return np.array([chance for chance, _ in choices]), np.array(numbers, dtype=np.int32)


def numbers(augmentation: str, draws: np.ndarray) -> np.ndarray:
    """(N, MOST_OPS) int32: the operations of each image, in order; -1 for none.

    Indices into `operation_table`, drawn from (N, DRAWS) random numbers in [0, 1).
    """
    if augmentation == "none":
        return np.full((len(draws), MOST_OPS), -1, dtype=np.int32)
    chances, table = _arrays(augmentation)
    if augmentation == "randaugment":
        drawn = (draws[:, [0, 2]] * len(table)).astype(np.int64)
        return table[drawn, (draws[:, [1, 3]] >= 0.5).astype(np.int64)]
    pair = 2 * (draws[:, :1] * (len(table) // 2)).astype(np.int64) + [0, 1]
    signs = (draws[:, [2, 4]] >= 0.5).astype(np.int64)
    return np.where(draws[:, [1, 3]] < chances[pair], table[pair, signs], np.int32(-1))


def operations(augmentation: str, draws: np.ndarray) -> list[list[Op]]:
    """`numbers` as lists of (name, value).

    >>> operations("autoaugment", np.array([[0.0, 0.3, 0.0, 0.5, 0.9], [0.99, 0.9, 0.0, 0.9, 0.0]]))
    [[('posterize', 4), ('rotate', -30.0)], []]
    """
    return named(augmentation, numbers(augmentation, draws))


def named(augmentation: str, drawn: np.ndarray) -> list[list[Op]]:
    """The operations of each image, from the indices that `numbers` returned."""
    table = operation_table(augmentation)
    return [[table[k] for k in row if k >= 0] for row in drawn.tolist()]
