"""Other projects' weight files, read without running anything from them: a flat dictionary of tensors under their own names."""

import json
import os
import re
from pathlib import Path

import torch
from torch import Tensor

from fastscale.errors import InputError
from fastscale.training.checkpoint_io import flaw

# what projects wrap their weights in, the averaged ones first, as their own loaders do
WRAPPERS = ("model_state", "state_dict_ema", "model_ema", "state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")  # of DistributedDataParallel and torch.compile


def read_tensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """Every tensor of a `.safetensors` or torch file (`.pth`, `.pyth`, `.pt`, `.bin`) on the CPU, under the names its network gave them.

    InputError for a file that is not there, is damaged, would run code when read, or holds something else than one network's tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path}: holds no state dict, but {'nothing' if isinstance(content, dict) else type(content).__name__}"
        )
    for name, value in content.items():
        if problem := flaw(value) if isinstance(name, str) else "no name":
            raise InputError(f"{path}: {str(name)[:80]!r} is {problem}: not a network's weights")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in content):
            content = {name.removeprefix(prefix): value for name, value in content.items()}
    return content


def _safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a safetensors file, or cut short ({_line(error)})") from None


def _torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code:
            raise InputError(
                f"{path}: refused: reading it would run code ({code[1]}); weights are tensors only"
            ) from None
        raise InputError(
            f"{path}: not a file of weights, or cut short ({type(error).__name__}: {_line(error)})"
        ) from None


def _line(error: Exception) -> str:
    text = re.sub(
        r"Weights only load failed.*?Error: | Check the documentation.*",
        "",
        " ".join(str(error).split()),
    )
    return text[:120]


def told_config(path: Path) -> dict:
    """What timm writes in a `config.json` beside its weights (`architecture`, `pretrained_cfg`); empty where there is none."""
    try:
        content = json.loads((path.parent / "config.json").read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
