"""Recipe: all training settings as one frozen value, read from configs/recipes/<name>.yaml."""

import hashlib
import json
import math
import os
import re
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastscale.common import did_you_mean, parse_yaml, read_text, span
from fastscale.errors import InputError
from fastscale.home import home

SCHEDULES = ("exponential", "cosine")
AUGMENTATIONS = ("none", "autoaugment", "autoaugment-v0", "randaugment")  # data/augment/policy.py
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
LAYOUTS = ("auto", "contiguous", "channels_last")
FROZEN = ("none", "statistics", "body")
# bounds of numbers: wide enough for any experiment, narrow enough to catch typing errors
LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "accumulate": (1, 1_000_000),
    "lr": (0, 1e30),
    "lr_batch": (1, 1_000_000),
    "lr_end": (0, 1),
    "warmup_epochs": (0, 100_000),
    "warmup_start": (0, 1),
    "momentum": (0, 1),
    "weight_decay": (0, 1000),
    "label_smoothing": (0, 1),
    "mixup": (0, 1000),
    "cutmix": (0, 1000),
    "drop_path": (0, 1),
    "ema_rate": (0, 1e6),
    "ema_every": (1, 1_000_000_000),
    "precise_bn": (0, 1_000_000_000),
    "limit_train": (1, 1_000_000_000),
    "body_lr": (0, 1),
}
# the fields that the digest always covers, defaults too (schema 1)
FIRST_FIELDS = {
    *("name", "data", "epochs", "batch_size", "accumulate", "lr", "lr_batch", "schedule"),
    *("lr_end", "lr_every", "warmup_epochs", "warmup_start", "momentum", "nesterov"),
    *("weight_decay", "label_smoothing", "mixup", "cutmix", "drop_path", "augmentation"),
    *("crop_area", "flip", "ema_rate", "ema_every", "precise_bn", "precision", "layout"),
    *("compile", "limit_train"),
}


@dataclass(frozen=True)
class Recipe:
    """How to train. Defaults are the paper's for ImageNet (batch 1024 over 8 GPUs).

    `data`: source of images. `batch_size`: images a step over all devices, in `accumulate` parts if
    memory is short. `lr`: for `lr_batch` images (None: `batch_size`), scaled with the batch.
    `lr_end`: last learning rate relative to the first. `lr_every`: set it every "epoch" or "step".
    `weight_decay` None: by family (2e-5, EfficientNets 1e-5); never on batch norm. `mixup`,
    `cutmix`: alpha; if both are on, they alternate between batches. `drop_path`: rate at the last
    block, rising from 0 at the first. `crop_area`: share of the image in random crops. `ema_rate`:
    the authors' alpha before scaling by batch, epochs and `ema_every` steps. `precise_bn`: training
    images to recompute batch-norm statistics from before each validation (0: off). `layout`: see
    layout.py. `limit_train`: train on the first images of a fixed shuffle.

    For fine-tuning (starting.py): `body_lr`: learning rate of all but the last layer, relative to
    that of the last. `freeze` "statistics": batch-norm statistics stay; "body": all but the last
    layer stays. `initial`: hash of the starting weights, "" if random; `fit --weights` sets it.
    """

    name: str = "custom"
    data: str = "imagenet"
    epochs: int = 100
    batch_size: int = 1024
    accumulate: int = 1
    lr: float = 2.0
    lr_batch: int | None = None
    schedule: str = "exponential"
    lr_end: float = 0.02
    lr_every: str = "epoch"
    warmup_epochs: float = 5.0
    warmup_start: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float | None = None
    label_smoothing: float = 0.1
    mixup: float = 0.2
    cutmix: float = 0.0
    drop_path: float = 0.0
    augmentation: str = "autoaugment"
    crop_area: tuple[float, float] = (0.08, 1.0)
    flip: bool = True
    ema_rate: float = 1e-5
    ema_every: int = 32
    precise_bn: int = 0
    precision: str = "16-mixed"
    layout: str = "auto"
    compile: bool = False
    limit_train: int | None = None
    body_lr: float = 1.0
    freeze: str = "none"
    initial: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.crop_area, list):
            object.__setattr__(self, "crop_area", tuple(self.crop_area))
        for f in fields(self):
            value, kind = getattr(self, f.name), re.sub(r"<class '(\w+)'>", r"\1", str(f.type))
            if not _is_of_type(value, kind):
                raise InputError(
                    f"recipe {_short(self.name)}: a setting has the wrong type: {f.name} must be "
                    f"{_TYPES[kind]}, got {_short(value)}"
                )
        for name, (holds, right) in self._rules().items():
            if not holds:
                raise InputError(
                    f"recipe {_short(self.name)}: {name} must be {right}, "
                    f"got {_short(getattr(self, name))}"
                )
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InputError(
                    f"recipe {_short(self.name)}: {name} must be {span(least, most)}, "
                    f"got {_short(value)}"
                )

    def _rules(self) -> dict[str, tuple[bool, str]]:
        """(Whether it holds, what is allowed) for each setting with rules beyond `LIMITS`."""
        low, high = self.crop_area
        rules = {
            "lr": (self.lr > 0, "finite and > 0"),
            "accumulate": (
                self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
                "at least 1 and a divisor of batch_size",
            ),
            "lr_end": (
                self.lr_end > 0 or self.schedule != "exponential",
                "from 0 (exponential: above 0) to 1",
            ),
            "lr_every": (self.lr_every in ("epoch", "step"), "epoch or step"),
            "warmup_epochs": (
                self.warmup_epochs <= self.epochs,
                f"from 0 to its {self.epochs} epochs (set both)",
            ),
            "momentum": (
                self.momentum < 1 and (self.momentum > 0 or not self.nesterov),
                "from 0 to below 1 (Nesterov: above 0)",
            ),
            "label_smoothing": (self.label_smoothing < 1, "from 0 to below 1"),
            "drop_path": (self.drop_path < 1, "from 0 to below 1"),
            "crop_area": (0 < low <= high <= 1, "two numbers, 0 < low <= high <= 1"),
            "body_lr": (self.body_lr > 0, "above 0 to 1 (freeze: body keeps it as it is)"),
            "precise_bn": (
                self.precise_bn == 0 or self.freeze == "none",
                "0 if statistics are frozen",
            ),
        }
        for name, known in (
            ("schedule", SCHEDULES),
            ("augmentation", AUGMENTATIONS),
            ("precision", PRECISIONS),
            ("layout", LAYOUTS),
            ("freeze", FROZEN),
        ):
            rules[name] = (getattr(self, name) in known, "one of " + ", ".join(known))
        return rules

    @property
    def first_lr(self) -> float:
        """Learning rate for `batch_size` images, before warm-up and schedule."""
        return self.lr * self.batch_size / (self.lr_batch or self.batch_size)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for YAML, JSON and checkpoints."""
        return {**asdict(self), "crop_area": list(self.crop_area)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "recipe") -> "Recipe":
        """A recipe from plain values; InputError names an unknown or unusable one."""
        known = [f.name for f in fields(cls)]
        for key in values:
            if not isinstance(key, str):
                raise InputError(f"{where}: a setting's name must be text, got {_short(key)}")
            if key not in known:
                near = did_you_mean(key, known)
                raise InputError(f"{where}: no setting is named {key!r:.80}; {near}")
        return cls(**values)

    @property
    def digest(self) -> str:
        """Short hash of the settings: equal only for equal training.

        A field that is not in `FIRST_FIELDS` counts only if it differs from its default. So adding
        a field whose default changes nothing leaves all digests as they are.
        """
        defaults = {f.name: f.default for f in fields(self)}
        values = self.as_dict()
        counted = {k: v for k, v in values.items() if k in FIRST_FIELDS or v != defaults[k]}
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]


def _is_of_type(value: object, kind: str) -> bool:
    """Whether a setting has the type of its field."""
    if kind.endswith(" | None"):
        return value is None or _is_of_type(value, kind.removesuffix(" | None"))
    if kind.startswith("tuple"):
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and all(_is_of_type(v, "float") for v in value)
        )
    if kind in ("bool", "str"):
        return type(value).__name__ == kind
    if isinstance(value, bool) or not isinstance(value, int if kind == "int" else int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


_TYPES = {
    "str": "a text",
    "bool": "true or false",
    "int": "a whole number",
    "int | None": "a whole number or null",
    "float": "a finite number",
    "float | None": "a finite number or null",
    "tuple[float, float]": "two numbers",
}


def _short(value: object) -> str:
    """A value for a message, shortened if it is long."""
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30
    return "a number of more than 30 digits" if large else repr(value)[:80]


def recipe_names() -> list[str]:
    """The names of the recipes in configs/recipes."""
    return sorted(p.stem for p in home().recipes.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """The recipe of that name (or YAML file); InputError with the nearest names if unknown."""
    if not isinstance(name, str):
        raise InputError(
            f"a recipe's name must be text, got {name!r}; known: {', '.join(recipe_names())}"
        )
    path = Path(name) if name.endswith((".yaml", ".yml")) else home().recipes / f"{name}.yaml"
    if not os.path.isfile(path):
        near = did_you_mean(name, recipe_names())
        raise InputError(f"no recipe is named {name!r}; {near}")
    return _recipe(read_text(path), path)


@lru_cache(maxsize=64)
def _recipe(text: str, path: Path) -> Recipe:
    """Parses a recipe; cached, because a plan of hundreds of runs asks for the same few."""
    content = parse_yaml(text, path)
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("recipe"), dict)
        or set(content) - {"recipe", "expected"}
    ):
        raise InputError(
            f"{path}: write the settings under 'recipe:' (and what to expect under 'expected:')"
        )
    return Recipe.from_dict({"name": path.stem, **content["recipe"]}, str(path))
