"""Checkpoints that are whole or absent: written beside, flushed, renamed; read with weights_only=True."""

import os
import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from fastscale.errors import InputError
from fastscale.training.recipe import Recipe

DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int64,
)  # that weights and counters are kept in


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own writer goes through a temporary folder that may be on another disk, where a move is a copy that a kill can cut."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike,
        storage_options: Any | None = None,
    ) -> None:
        """Saves under `<path>.part`, then renames: a killed run leaves the checkpoint before."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        with open(part, "wb") as f:
            torch.save(checkpoint, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, target)


def read_checkpoint(path: str | os.PathLike) -> dict[str, Any]:
    """A training checkpoint's content on the CPU, without running any code from it; InputError if it is not one."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"expected the path of a .ckpt file or of a run's folder, got {path!r}")
    path = Path(path)
    if path.is_dir():
        path = path / "last.ckpt"
    if not path.is_file():
        raise InputError(
            f"{path}: no such checkpoint; give a .ckpt file or a run's folder, as in runs/<run>/seed0"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if code := re.search(r"Weights only load failed.* GLOBAL (\S+)", text):
            what = "a checkpoint holds weights and plain values only"
            raise InputError(
                f"{path}: refused: reading it would run code ({code[1]}), and {what}"
            ) from None
        reason = re.sub(
            r"Weights only load failed.*WeightsUnpickler error: | Check the documentation.*",
            "",
            text,
        )[:120]
        raise InputError(
            f"{path}: not a checkpoint that can be read safely, or cut short ({type(error).__name__}: {reason})"
        ) from None
    check_content(content, path)
    return content


def check_content(content: Any, where: str | os.PathLike) -> None:
    """InputError unless it has the fields of a run's checkpoint, of their types: what reads them need not look again."""
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if (
        not isinstance(settings, dict)
        or "state_dict" not in content
        or not {"arch", "recipe", "num_classes"} <= set(settings)
    ):
        raise InputError(
            f"{where}: not a checkpoint of `fastscale fit` (it names no arch and recipe)"
        )
    recipe, own, weights = (
        settings["recipe"],
        content.get("trained_with", {}),
        content["state_dict"],
    )
    rules = {
        "arch": (isinstance(settings["arch"], str), "a network's name"),
        "num_classes": (
            type(settings["num_classes"]) is int and 1 <= settings["num_classes"] <= 1_000_000,
            "1 to 1,000,000",
        ),
        "seed": (type(settings.get("seed")) is int, "a whole number"),
        "mean": (is_channels(settings.get("mean")), "a number each of R, G, B, from 0 to 255"),
        "std": (
            is_channels(settings.get("std"), least=1e-3),
            "a number each of R, G, B, from 0.001 to 255",
        ),
        "recipe": (
            isinstance(recipe, dict) and "ema_rate" in recipe and is_plain(recipe),
            "settings by name",
        ),
        "trained_with": (isinstance(own, dict) and is_plain(own), "settings by name"),
        "classes": (not isinstance(own, dict) or is_texts(own.get("classes")), "a list of names"),
        **{
            k: (not isinstance(own, dict) or isinstance(own.get(k), str | None), "a text")
            for k in ("loader", "source")
        },
        "precision": (
            not isinstance(own, dict) or isinstance(own.get("precision"), str | int | None),
            "a text, as 16-mixed",
        ),
        "epoch": (type(content.get("epoch", 0)) is int, "a whole number"),
        "global_step": (type(content.get("global_step", 0)) is int, "a whole number"),
        "state_dict": (
            isinstance(weights, dict) and all(type(name) is str for name in weights),
            "tensors by name",
        ),
    }
    for name, (holds, right) in rules.items():
        if not holds:
            raise InputError(f"{where}: damaged: its {name} should be {right}")
    for name, value in weights.items():
        if problem := flaw(value):
            raise InputError(f"{where}: {name!r} in its state_dict is {problem}")
    Recipe.from_dict(recipe, str(where))


def flaw(value: object) -> str:
    """What keeps a value from being a weight in memory, of a type that weights have; "" if nothing does. Its numbers are not looked at."""
    if not isinstance(value, Tensor):
        return f"no tensor but {type(value).__name__}"
    if value.is_nested or value.layout is not torch.strided or value.device.type != "cpu":
        return f"no ordinary tensor in memory ({value.layout}, {value.device})".replace(
            "torch.", ""
        )
    return (
        ""
        if value.dtype in DTYPES
        else f"of type {value.dtype}, wanted floats or int64".replace("torch.", "")
    )


def is_plain(value: object, depth: int = 4) -> bool:
    """Whether it is what a run's settings are made of: None, texts, finite numbers, lists of such, and such by name."""
    if depth and isinstance(value, list | tuple):
        return all(is_plain(v, depth - 1) for v in value)
    if depth and isinstance(value, dict):
        return all(type(k) is str and is_plain(v, depth - 1) for k, v in value.items())
    return value is None or type(value) in (str, bool) or is_number(value)


def is_number(value: object, least: float = -1e12, most: float = 1e12) -> bool:
    """Whether it is a number of that range: so neither NaN, infinite, nor a whole number too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_channels(value: object, least: float = 0.0) -> bool:
    """Whether it is a mean (or with `least` above 0 a std) of R, G, B on the scale 0 to 255."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(is_number(v, least, 255) for v in value)
    )


def is_texts(value: object) -> bool:
    """Whether it is a list of texts, or None."""
    return value is None or (
        isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    )


def load_weights(module: nn.Module, weights: dict[str, Any], where: str | os.PathLike) -> None:
    """Loads them all; InputError if they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{where}: its weights are not those of the network it names ({reason})"
        ) from None
