"""Recipe: every choice of training as one frozen value, read from configs/recipes/<name>.yaml."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from fastscale.archs.registry import nearest
from fastscale.errors import InputError

RECIPES = Path(__file__).parents[2] / "configs" / "recipes"
SCHEDULES = ("exponential", "cosine")
AUGMENTATIONS = ("none", "autoaugment", "autoaugment-v0", "randaugment")  # data/augment/policy.py
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
LAYOUTS = ("auto", "contiguous", "channels_last")


@dataclass(frozen=True)
class Recipe:
    """How to train. Defaults are the paper's for ImageNet (batch 1024 over 8 GPUs).

    `data`: source of images. `batch_size`: images a step over all devices, in `accumulate` parts where memory is short. `lr` belongs to
    `lr_batch` images (None: to `batch_size`) and follows the batch in proportion. `lr_end` is the last learning rate relative to the first;
    `lr_every` "epoch" or "step". `weight_decay` None: by family (2e-5, EfficientNets 1e-5); never on
    batch norm. `ema_rate`: the authors' alpha before it is scaled by batch, epochs and `ema_every` steps. `crop_area`: of random crops.
    `cutmix`: alpha; where both are on, every second batch is cut, the others mixed. `drop_path`: rate at the last block, rising from 0.
    `precise_bn`: training images from which batch-norm statistics are computed anew before each validation (0: not).
    `layout` "auto": chosen by device (see training/layout.py). `limit_train`: train on the first so many images of a fixed shuffle.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "crop_area", tuple(self.crop_area))
        rules = {
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "accumulate": (
                self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
                "at least 1 and a divisor of batch_size",
            ),
            "lr_batch": (self.lr_batch is None or self.lr_batch >= 1, "at least 1 or null"),
            "lr": (math.isfinite(self.lr) and self.lr > 0, "finite and > 0"),
            "lr_end": (
                0 <= self.lr_end <= 1 and (self.lr_end > 0 or self.schedule != "exponential"),
                "from 0 (exponential: above 0) to 1",
            ),
            "lr_every": (self.lr_every in ("epoch", "step"), "epoch or step"),
            "warmup_epochs": (0 <= self.warmup_epochs <= self.epochs, "from 0 to epochs"),
            "warmup_start": (0 <= self.warmup_start <= 1, "from 0 to 1"),
            "momentum": (
                0 <= self.momentum < 1 and (self.momentum > 0 or not self.nesterov),
                "from 0 to below 1 (Nesterov: above 0)",
            ),
            "weight_decay": (self.weight_decay is None or self.weight_decay >= 0, ">= 0 or null"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "from 0 to below 1"),
            "mixup": (self.mixup >= 0, ">= 0"),
            "cutmix": (self.cutmix >= 0, ">= 0"),
            "drop_path": (0 <= self.drop_path < 1, "from 0 to below 1"),
            "precise_bn": (self.precise_bn >= 0, ">= 0"),
            "crop_area": (
                len(self.crop_area) == 2 and 0 < self.crop_area[0] <= self.crop_area[1] <= 1,
                "two numbers, 0 < low <= high <= 1",
            ),
            "ema_rate": (self.ema_rate >= 0, ">= 0 (0: no averaging)"),
            "ema_every": (self.ema_every >= 1, "at least 1"),
            "limit_train": (
                self.limit_train is None or self.limit_train >= 1,
                "at least 1 or null",
            ),
        }
        for field, known in (
            ("schedule", SCHEDULES),
            ("augmentation", AUGMENTATIONS),
            ("precision", PRECISIONS),
            ("layout", LAYOUTS),
        ):
            rules[field] = (getattr(self, field) in known, "one of " + ", ".join(known))
        for field, (holds, right) in rules.items():
            if not holds:
                raise InputError(
                    f"recipe {self.name!r}: {field} must be {right}, got {getattr(self, field)!r}"
                )

    @property
    def first_lr(self) -> float:
        """Learning rate of `batch_size` images, before warm-up and schedule."""
        return self.lr * self.batch_size / (self.lr_batch or self.batch_size)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, fit for YAML, JSON and checkpoints."""
        return {**asdict(self), "crop_area": list(self.crop_area)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "recipe") -> "Recipe":
        """A recipe from plain values; InputError naming an unknown or unusable one."""
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise InputError(
                    f"{where}: no setting is named {key!r}; there are, nearest first: {nearest(key, known)}"
                )
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"{where}: a setting has the wrong type ({error})") from None

    @property
    def digest(self) -> str:
        """Short hash of all settings: equal only for equal training."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]


def recipe_names() -> list[str]:
    """The recipes that configs/recipes holds."""
    return sorted(p.stem for p in RECIPES.glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """The recipe of that name (or YAML file); InputError with the known names, nearest first, otherwise."""
    if not isinstance(name, str):
        raise InputError(
            f"a recipe is named by text, got {name!r}; there are: {', '.join(recipe_names())}"
        )
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        raise InputError(
            f"no recipe is named {name!r}; there are, nearest first: {nearest(name, recipe_names())}"
        )
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("recipe"), dict)
        or set(content) - {"recipe", "expected"}
    ):
        raise InputError(
            f"{path}: write the settings under 'recipe:' (and what to expect under 'expected:')"
        )
    return Recipe.from_dict({"name": path.stem, **content["recipe"]}, str(path))
