"""Checks the fields of a training checkpoint: their types and bounds."""

import os
from typing import Any

import torch
from torch import Tensor

from fastscale.errors import InputError
from fastscale.training.recipe import Recipe
from fastscale.training.values import is_channels, is_error, is_plain, is_texts, is_whole

MOST_STEPS = 10**12
# of weights and counters
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)


def check_content(content: Any, where: str | os.PathLike) -> None:
    """InputError, naming the field, if `content` is not that of a run's checkpoint.

    Code that reads a checkpoint need not check it again.
    """
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if (
        not isinstance(settings, dict)
        or "state_dict" not in content
        or not {"arch", "recipe", "num_classes"} <= set(settings)
    ):
        raise InputError(
            f"{where}: not a checkpoint of `fastscale fit` (it names no arch and recipe)"
        )
    recipe, weights = settings["recipe"], content["state_dict"]
    rules = {
        "arch": (isinstance(settings["arch"], str), "a network's name"),
        "definition": (
            settings.get("definition") is None
            or (isinstance(settings["definition"], dict) and is_plain(settings["definition"])),
            "a network's definition",
        ),
        "num_classes": (is_whole(settings["num_classes"], 1, 1_000_000), "1 to 1,000,000"),
        "seed": (is_whole(settings.get("seed"), 0, 2**32 - 1), "a whole number below 2^32"),
        "mean": (is_channels(settings.get("mean")), "a number each of R, G, B, from 0 to 255"),
        "std": (
            is_channels(settings.get("std"), least=1e-3),
            "a number each of R, G, B, from 0.001 to 255",
        ),
        "recipe": (
            isinstance(recipe, dict) and "ema_rate" in recipe and is_plain(recipe),
            "settings by name",
        ),
        "epoch": (is_whole(content.get("epoch", 0), 0, MOST_STEPS), "a whole number"),
        "global_step": (is_whole(content.get("global_step", 0), 0, MOST_STEPS), "a whole number"),
        "state_dict": (
            isinstance(weights, dict) and all(type(name) is str for name in weights),
            "tensors by name",
        ),
        **_rules_of_origin(content),
    }
    for name, (holds, right) in rules.items():
        if not holds:
            raise InputError(f"{where}: damaged: its {name} should be {right}")
    for name, value in weights.items():
        if problem := flaw(value):
            raise InputError(f"{where}: {name!r} in its state_dict is {problem}")
    try:
        Recipe.from_dict(recipe, str(where))
    except InputError as error:  # for a wrong value it names the recipe, not the file
        said = str(error).removeprefix(f"{where}: ")
        raise InputError(f"{where}: {said}") from None


def _rules_of_origin(content: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Rules for a checkpoint's run, classes and errors, which older checkpoints lack."""
    own, errors = content.get("trained_with", {}), content.get("errors")
    rules = {"trained_with": (isinstance(own, dict) and is_plain(own), "settings by name")}
    own = own if isinstance(own, dict) else {}
    for name in ("loader", "source", "data", "data_hash", "run"):
        rules[name] = (isinstance(own.get(name), str | None), "a text")
    for name in ("stored", "trainer", "ancestry"):
        rules[name] = (isinstance(own.get(name), dict | None), "settings by name")
    rules["classes"] = (is_texts(own.get("classes")), "a list of names")
    rules["precision"] = (isinstance(own.get("precision"), str | int | None), "a text, as 16-mixed")
    rules["errors"] = (
        errors is None
        or (isinstance(errors, dict) and all(is_error(*item) for item in errors.items())),
        "errors from 0 to 100 % by name",
    )
    loss = content.get("train_loss", [0.0, 0.0])
    rules["train_loss"] = (
        isinstance(loss, list | tuple) and [type(v) for v in loss] == [float, float],
        "a mean and how many it is of",
    )
    rules["epoch_loss"] = (isinstance(content.get("epoch_loss"), float | None), "a number")
    return rules


def flaw(value: object) -> str:
    """Why a value cannot be a weight in memory; "" if it can. Its numbers are not checked."""
    if not isinstance(value, Tensor):
        return f"no tensor but {type(value).__name__}"
    if value.is_nested or value.layout is not torch.strided or value.device.type != "cpu":
        return f"no ordinary tensor in memory ({value.layout}, {value.device})".replace(
            "torch.", ""
        )
    if value.dtype not in DTYPES:
        return f"of type {value.dtype}, wanted floats or int64".replace("torch.", "")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "larger than what the file holds of it"
    return ""
