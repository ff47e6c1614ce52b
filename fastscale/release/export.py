"""A network as a file that runs without this package: ONNX, or torch.export's program (.pt2).

Both take (N, 3, R, R) float32, normalised RGB (`fastscale.transforms`), any N at the one resolution R, and give (N, classes) logits.
"""

import copy
import importlib.util
import logging
import os
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fastscale.errors import InputError

NEEDED_FOR_ONNX = ("onnx", "onnxscript")
INPUT, OUTPUT = "images", "logits"


def export_onnx(
    network: "nn.Module | str",
    path: str | os.PathLike,
    resolution: int | None = None,
    fused: bool = True,
) -> Path:
    """Writes `network` (a module, or what `fastscale.load` takes) as ONNX to `path` and returns it; input `images`, output `logits`.

    `resolution`: pixels of a side, the network's own unless given. `fused`: batch norms folded into their convs. InputError without the
    packages onnx and onnxscript.
    """
    missing = [name for name in NEEDED_FOR_ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"ONNX export needs the Python packages {' and '.join(missing)}: pip install {' '.join(missing)}"
        )

    def write(net: nn.Module, images: torch.Tensor, batch: Any, target: Path) -> None:
        torch.onnx.export(
            net,
            (images,),
            target,
            dynamo=True,
            dynamic_shapes=({0: batch},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            external_data=False,
            verbose=False,
        )

    return _export(network, path, "onnx", resolution, fused, write)


def export_torch(
    network: "nn.Module | str",
    path: str | os.PathLike,
    resolution: int | None = None,
    fused: bool = True,
) -> Path:
    """As `export_onnx`, for `torch.export.load(path).module()`."""

    def write(net: nn.Module, images: torch.Tensor, batch: Any, target: Path) -> None:
        torch.export.save(torch.export.export(net, (images,), dynamic_shapes=({0: batch},)), target)

    return _export(network, path, "torch", resolution, fused, write)


EXPORTS: dict[str, Callable[..., Path]] = {"onnx": export_onnx, "torch": export_torch}
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


def _export(
    network: "nn.Module | str",
    path: str | os.PathLike,
    kind: str,
    resolution: int | None,
    fused: bool,
    write: Callable[..., None],
) -> Path:
    target, suffix = Path(path), SUFFIXES[kind]
    if target.is_dir():
        raise InputError(
            f"{path}: is a folder; give the file to write, as {target / f'network{suffix}'}"
        )
    if target.suffix != suffix:
        raise InputError(
            f"{path}: a file of --to {kind} ends in {suffix}, as {target.with_suffix(suffix).name}"
        )
    net = _network(network, fused)
    side = net.arch.resolution if resolution is None else resolution
    if side < net.arch.total_stride:
        raise InputError(
            f"resolution {side} is too small for {net.arch.name}: give at least {net.arch.total_stride}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(
        f"{target.stem}.part{target.suffix}"
    )  # torch.export looks at the suffix
    try:
        with _quiet(), torch.no_grad():
            # two images: of one, the exporter would conclude that there is always one
            write(net, torch.zeros(2, 3, side, side), torch.export.Dim("batch", min=1), part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _network(network: "nn.Module | str", fused: bool) -> Any:
    if not isinstance(network, nn.Module):
        from fastscale.api import load

        network = load(network)
    if not hasattr(network, "arch"):
        raise InputError(
            f"{type(network).__name__}: not a network of fastscale.build or fastscale.load"
        )
    own = (
        copy.deepcopy(network).eval().cpu().float()
    )  # as the example input is; the caller's network stays as and where it was
    if fused and any(isinstance(m, nn.BatchNorm2d) for m in own.modules()):
        from fastscale.release.fuse import fuse

        return fuse(own)
    return own


@contextmanager
def _quiet():
    """Without what the exporters say about themselves."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
