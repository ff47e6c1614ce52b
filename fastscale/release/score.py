"""The error of a checkpoint, by default with its training's loader, precision, layout and batch."""

import math
from dataclasses import dataclass, replace
from typing import Any

from fastscale.data.images import spread
from fastscale.data.sources import SOURCES
from fastscale.errors import InputError
from fastscale.release.checkpoint import Checkpoint
from fastscale.release.manifest import Entry
from fastscale.training.evaluate import errors_of, say_other_data
from fastscale.training.recipe import Recipe
from fastscale.training.speaking import speaks


@dataclass(frozen=True)
class Score:
    """Errors in % on `images` of the `total` images of the validation set."""

    errors: dict[str, float]
    images: int
    total: int
    classes: tuple[str, ...]
    data: str
    data_hash: str
    same_data: bool


def score(
    checkpoint: Checkpoint,
    source: str | None = None,
    arguments: list[str] | None = None,
    images: int | None = None,
    tell: bool = False,
) -> Score:
    """Evaluates the checkpoint on the validation images of `source`.

    `source`: default its training data, if these have a known name. `images`: only that many, the
    same every time. `arguments`: LightningCLI's. `tell`: print a line if the data are not those of
    the checkpoint's `data_hash` (the result's `same_data`). InputError for data with other classes.
    """
    about = checkpoint.about
    if images is not None and images < 1:
        raise InputError(f"images must be at least 1, got {images}")
    if source is None and about.data not in SOURCES:
        raise InputError(f"{checkpoint.where}: say on which data to evaluate it: --data SOURCE")
    seen: list[Any] = []

    def prepare(data: Any) -> None:
        same = data.same_data(about.data_hash)
        seen.append((data.val_size, data.classes, data.data_name, data.data_hash, same))
        if tell:
            say_other_data(trained, data, checkpoint.where)
        if images is not None and images < data.val_size:
            data.val_indices = spread(data.val_size, images)

    recipe = about.recipe or plain_recipe(about.data)
    settings = {
        "arch": about.arch,
        "definition": about.definition,
        "recipe": {**recipe, "ema_rate": 0.0},  # there is one set of weights
        "num_classes": about.num_classes,
        "mean": about.mean,
        "std": about.std,
        "seed": about.seed or 0,
    }
    state = {f"{prefix}.{k}": v for prefix in ("net", "ema") for k, v in checkpoint.weights.items()}
    trained = {
        "source": about.data,
        "data": about.data,
        "data_hash": about.data_hash,
        "classes": about.classes,
        "loader": about.loader,
        "precision": about.precision,
    }
    errors = errors_of(settings, state, trained, source, arguments or [], checkpoint.where, prepare)
    if not speaks():  # only one of several processes continues
        raise SystemExit(0)
    total, classes, name, data_hash, same = seen[0]
    return Score(errors, min(images or total, total), total, tuple(classes), name, data_hash, same)


def score_entry(
    entry: Entry,
    checkpoint: Checkpoint,
    source: str | None = None,
    arguments: list[str] | None = None,
    images: int | None = None,
) -> Score:
    """Like `score`; `same_data` refers to the manifest entry's data."""
    about = replace(checkpoint.about, data_hash=entry.data_hash)
    return score(replace(checkpoint, about=about), source, arguments, images)


def plain_recipe(data: str | None) -> dict[str, Any]:
    """The recipe to evaluate imported weights: single precision, batches of 64."""
    return Recipe(
        name="imported",
        data=data or "imagenet",
        batch_size=64,
        precision="32-true",
        augmentation="none",
    ).as_dict()


def allowance(error: float, images: int, total: int) -> float:
    """Percentage points by which the error on some images may differ from that on all.

    Three standard errors of drawing without replacement, sqrt(p (1 - p) / n * (N - n) / (N - 1)),
    at least one image for errors near 0; 0 for all images.

    >>> round(allowance(13.9, 1000, 10000), 2), allowance(13.9, 10000, 10000)
    (3.11, 0.0)
    """
    if images >= total:
        return 0.0
    p = error / 100
    return max(300 * math.sqrt(p * (1 - p) / images * (total - images) / (total - 1)), 100 / images)
