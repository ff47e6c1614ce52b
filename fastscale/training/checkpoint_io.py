"""Checkpoints that are whole or absent: written beside, flushed, renamed; read with weights_only=True."""

import os
import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from fastscale.errors import InputError


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own writer goes through a temporary folder that may be on another disk, where a move is a copy that a kill can cut."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any | None = None) -> None:
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
        raise InputError(f"{path}: no such checkpoint; give a .ckpt file or a run's folder, as in runs/<run>/seed0")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if code := re.search(r"Weights only load failed.* GLOBAL (\S+)", text):
            what = "a checkpoint holds weights and plain values only"
            raise InputError(f"{path}: refused: reading it would run code ({code[1]}), and {what}") from None
        reason = re.sub(r"Weights only load failed.*WeightsUnpickler error: | Check the documentation.*", "", text)[:120]
        raise InputError(f"{path}: not a checkpoint that can be read safely, or cut short ({type(error).__name__}: {reason})") from None
    if (
        not isinstance(content, dict)
        or "state_dict" not in content
        or not {"arch", "recipe", "num_classes"} <= set(content.get("hyper_parameters", {}))
    ):
        raise InputError(f"{path}: not a checkpoint of `fastscale fit` (it names no arch and recipe)")
    return content


def load_weights(module: nn.Module, weights: dict[str, Any], where: str | os.PathLike) -> None:
    """Loads them all; InputError if they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{where}: its weights are not those of the network it names ({reason})") from None
