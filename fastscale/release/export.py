"""A network as a file that runs without this package: ONNX, or torch.export's program (.pt2).

Both take (N, 3, R, R) float32, normalised RGB (`fastscale.transforms`), any N at the one resolution R, and give (N, classes) logits.
"""

import copy
import importlib.util
import io
import logging
import os
import shutil
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from fastscale.archs.check import check_resolution
from fastscale.common import whole_file
from fastscale.errors import InputError
from fastscale.models.finite import not_finite, where_not_finite

NEEDED_FOR_ONNX = ("onnx", "onnxscript")
INPUT, OUTPUT = "images", "logits"


def export_onnx(
    network: "nn.Module | str",
    path: str | os.PathLike,
    resolution: int | None = None,
    fused: bool = True,
    weights: str = "auto",
) -> Path:
    """Writes `network` (a module, or what `fastscale.load` takes) as ONNX to `path` and returns it; input `images`, output `logits`.

    `resolution`: pixels of a side; default: the network's own. `fused`: batch norms folded into
    their convs. `weights`: as in `fastscale.load`. InputError without the packages onnx and
    onnxscript, and for a network whose parameters, buffers or outputs are not finite.
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

    return _export(network, path, "onnx", resolution, fused, weights, write)


def export_torch(
    network: "nn.Module | str",
    path: str | os.PathLike,
    resolution: int | None = None,
    fused: bool = True,
    weights: str = "auto",
) -> Path:
    """As `export_onnx`, for `torch.export.load(path).module()`."""

    def write(net: nn.Module, images: torch.Tensor, batch: Any, target: Path) -> None:
        made = io.BytesIO()  # torch ends the process where its own writing to a full disk fails
        torch.export.save(torch.export.export(net, (images,), dynamic_shapes=({0: batch},)), made)
        target.write_bytes(made.getbuffer())

    return _export(network, path, "torch", resolution, fused, weights, write)


EXPORTS: dict[str, Callable[..., Path]] = {"onnx": export_onnx, "torch": export_torch}
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}


def _export(
    network: "nn.Module | str",
    path: str | os.PathLike,
    kind: str,
    resolution: int | None,
    fused: bool,
    weights: str,
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
    net = _network(network, fused, weights)
    side = net.arch.resolution if resolution is None else resolution
    if isinstance(side, int) and side < net.arch.total_stride:
        raise InputError(
            f"resolution {side} is too small for {net.arch.name}: "
            f"give at least {net.arch.total_stride}"
        )
    check_resolution(net.arch.name, side, net.arch.total_stride)
    # two images: of one, the exporter would conclude that there is always one
    images = torch.zeros(2, 3, side, side)
    check_finite(net, side)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, _quiet(), torch.no_grad():
        made = Path(folder) / f"network{suffix}"  # torch.export looks at the suffix
        write(net, images, torch.export.Dim("batch", min=1), made)
        with open(made, "rb") as file, whole_file(target) as out:
            shutil.copyfileobj(file, out, 1 << 20)
    return target


def check_finite(net: nn.Module, side: int) -> None:
    """InputError that names a parameter or buffer with NaN or infinity, or the layer where the
    outputs of an image of noise begin to be no numbers."""
    if name := not_finite(net.state_dict()):
        raise InputError(f"{name} holds NaN or infinity: not a network to export")
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    if name := where_not_finite(net, noise):
        raise InputError(
            f"its outputs are not finite numbers, from {name} on: not a network to export"
        )


def _network(network: "nn.Module | str", fused: bool, weights: str) -> Any:
    if not isinstance(network, nn.Module):
        from fastscale.release.load import load

        network = load(network, weights=weights)
    if not hasattr(network, "arch"):
        raise InputError(
            f"{type(network).__name__}: not a network of fastscale.build or fastscale.load"
        )
    # as the example input is; the caller's network stays as and where it was
    own = copy.deepcopy(network).eval().cpu().float()
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
