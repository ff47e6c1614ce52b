"""Reads other projects' weight files without running code from them.

The result is a flat dictionary of tensors with their names, and the file's settings.
"""

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fastscale.common import check_zip, damage, parse_json, read_text
from fastscale.data.images import Say
from fastscale.errors import InputError
from fastscale.release.safefile import refusing
from fastscale.training.better import check_choice, say_apart
from fastscale.training.checkpoint_content import flaw
from fastscale.training.values import is_number

# the keys that projects wrap their weights in; the first that exists counts
RAW = ("model_state", "state_dict", "model", "model_state_dict", "net", "network", "module")
AVERAGED = ("ema_state", "state_dict_ema", "model_ema", "ema_state_dict", "ema", "ema_model")
# from DistributedDataParallel, torch.compile, Lightning modules and averaging, in any order
PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "network.",
    "ema.",
    "ema_model.",
    "model_ema.",
)
AVERAGED_PREFIXES = ("ema.", "ema_model.", "model_ema.")
COUNTS = ("n_averaged", "num_updates")  # of averaging, not of the network
DEPTH = 8  # the most nested wrappers


@dataclass(frozen=True)
class Read:
    """`tensors` by their names, on the CPU; `settings`: plain values beside them in the file.

    Settings are `args`, `arch`, `cfg` and the like.
    """

    tensors: dict[str, Tensor]
    settings: dict[str, Any]


def read_weights(path: str | os.PathLike, weights: str, say: Say) -> Read:
    """Every tensor of a `.safetensors` or torch file (`.pth`, `.pyth`, `.pt`, `.bin`).

    `weights`: raw, ema, or auto, for a file with raw and averaged (EMA) weights. auto takes the
    better by the errors in the file, like pycls; without errors the averaged ones, and `say` gets
    a line. InputError for a file that is missing or damaged, would run code when read, or holds
    anything but one network's tensors.
    """
    check_choice(weights)
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = refusing(path, load_file) if path.suffix == ".safetensors" else _torch(path)
    settings: dict[str, Any] = {}
    for _ in range(DEPTH):
        if not isinstance(content, dict):
            break
        settings = {**_plain(content), **settings}
        inner = _state(content, weights, path, say)
        if inner is None:
            break
        content = inner
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path}: holds no state dict, but "
            f"{'nothing' if isinstance(content, dict) else type(content).__name__}"
        )
    tensors = {k: v for k, v in content.items() if k not in COUNTS}
    for name, value in tensors.items():
        if problem := flaw(value) if isinstance(name, str) else "no name":
            raise InputError(f"{path}: {str(name)[:80]!r} is {problem}: not a network's weights")
    return Read(_without_prefixes(tensors, weights, path, say), settings)


def _state(content: dict[Any, Any], weights: str, path: Path, say: Say) -> Any:
    """The state dict in a wrapping dictionary; None if it is one itself."""
    raw, averaged = (
        next((k for k in names if isinstance(content.get(k), dict) and content[k]), None)
        for names in (RAW, AVERAGED)
    )
    if raw is None or averaged is None:
        if only := raw or averaged:
            _refuse_absent(weights, raw is not None, path)
            return content[only]
        return None
    errors: dict[str, Any] = {
        "top1_error": content.get("test_err"),
        "top1_error_ema": content.get("ema_err"),
    }
    if weights != "auto":
        return content[raw if weights == "raw" else averaged]
    if all(is_number(e, 0, 100) for e in errors.values()):
        # as in pycls.core.checkpoint.load_checkpoint: raw if equal
        taken = "raw" if errors["top1_error"] <= errors["top1_error_ema"] else "ema"
        say_apart(errors, taken, path)
        return content[raw if taken == "raw" else averaged]
    return content[_unmeasured(raw, averaged, path, say)]


def _unmeasured(raw: str, averaged: str, path: Path, say: Say) -> str:
    say(
        f"{path}: holds raw ({raw}) and averaged ({averaged}) weights without their errors: "
        "the averaged ones are used (--weights raw for the others)"
    )
    return averaged


def _refuse_absent(weights: str, is_raw: bool, path: Path) -> None:
    """InputError for raw weights of a file with only averaged ones.

    The opposite cannot be checked here: a raw wrapper may hold averaged weights further inside.
    """
    if weights == "raw" and not is_raw:
        raise InputError(f"{path}: holds averaged weights only; leave --weights out")


def _without_prefixes(
    tensors: dict[str, Tensor], weights: str, path: Path, say: Say
) -> dict[str, Tensor]:
    for _ in range(DEPTH):
        prefix = next((p for p in PREFIXES if all(k.startswith(p) for k in tensors)), None)
        if prefix is not None:
            tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
            tensors = {k: v for k, v in tensors.items() if k not in COUNTS}
            continue
        # two networks side by side, as in a LightningModule with averaged weights
        averaged = next((p for p in AVERAGED_PREFIXES if any(map(_starts(p), tensors))), None)
        raw = next(
            (
                p
                for p in PREFIXES
                if p not in AVERAGED_PREFIXES
                and averaged is not None
                and all(k.startswith((p, averaged)) for k in tensors)
            ),
            None,
        )
        if raw is None or averaged is None:
            return tensors
        taken = {"raw": raw, "ema": averaged}.get(weights)
        taken = taken or _unmeasured(raw, averaged, path, say)
        tensors = {k: v for k, v in tensors.items() if k.startswith(taken)}
    return tensors


def _starts(prefix: str) -> Any:
    return lambda name: name.startswith(prefix)


def _plain(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The texts and numbers among the entries; those inside `args` by their names."""
    out: dict[str, Any] = {}
    for name, value in content.items():
        found = vars(value) if isinstance(value, argparse.Namespace) else value
        if isinstance(name, str) and not isinstance(found, Tensor):
            if name in ("args", "hyper_parameters", "config") and isinstance(found, Mapping):
                out = {**out, **{str(k): v for k, v in found.items()}}
            elif isinstance(found, str | int | float):
                out[name] = found
    return out


def _torch(path: Path) -> object:
    check_zip(path)
    try:
        # timm and torchvision keep their command line in a Namespace, which is not code
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code:
            raise InputError(
                f"{path}: refused: reading it would run code ({code[1]}); weights are only tensors"
            ) from None
        raise InputError(f"{path}: {damage(path)}; fetch it again") from None


def told_config(path: Path) -> dict[str, Any]:
    """timm's `config.json` beside its weights (`architecture`, `pretrained_cfg`), or {}.

    InputError for an unreadable one, since it may name another network.
    """
    file = path.parent / "config.json"
    try:
        content = parse_json(read_text(file), file, constants=True)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: not an object of settings")
    return content
