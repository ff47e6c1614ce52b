"""A network as a file that runs without this package: ONNX, or torch.export's program (.pt2).

The file includes the preprocessing: from (N, R, R, 3) uint8 RGB to `logits` and `probabilities`,
each (N, classes), for any N. With `any_size` it takes (N, H, W, 3), and crops and resizes too. With
`normalised` it has no preprocessing: from (N, 3, R, R) float32, the output of
`fastscale.transforms`, to `logits`. The file describes its classes, preprocessing and origin. It is
written only after its runtime has reproduced the network's outputs.
"""

import copy
import importlib.util
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from fastscale.archs.check import check_resolution
from fastscale.common import whole_file
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.models.finite import not_finite, where_not_finite
from fastscale.release.checkpoint import Checkpoint
from fastscale.release.export_writers import WRITERS, quiet, traced
from fastscale.release.exported import LOGITS, PROBABILITIES, SUFFIXES, ExportedNetwork
from fastscale.release.preprocess import Preprocessing

NEEDED_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-3  # relative to the largest output


@dataclass(frozen=True)
class Exported:
    """A written file.

    `about`: its description; `difference`: the largest to the network's logits, in `runtime`.
    """

    path: Path
    about: dict[str, Any]
    runtime: str
    difference: float


def export(
    network: "nn.Module | str",
    path: str | os.PathLike,
    to: str = "onnx",
    resolution: int | None = None,
    fused: bool = True,
    weights: str = "auto",
    any_size: bool = False,
    normalised: bool = False,
) -> Exported:
    """Writes `network` to `path` as "onnx" or "torch".

    `network`: what `fastscale.load` takes, or a module, which has no known preprocessing.
    `resolution`: side in pixels (default: the network's). `fused`: fold batch norms into their
    convs. `weights`: see `fastscale.load`. InputError if packages of the extra `onnx` are missing,
    if parameters, buffers or outputs are not finite, or if the file's outputs differ.
    """
    target = _target(path, to)
    if to == "onnx" and (missing := [n for n in NEEDED_FOR_ONNX if not _is_there(n)]):
        raise InputError(
            f"ONNX export needs the Python package{'s' * (len(missing) > 1)} "
            f"{' and '.join(missing)}: {home().extra('onnx')}"
        )
    if isinstance(network, nn.Module):
        checkpoint, original = None, network
    else:
        checkpoint = _opened(network, weights)
        original = checkpoint.network()
    net = _network(original, fused)
    side = _side(net.arch, resolution)
    check_finite(net, side)
    prepare = None if checkpoint is None or normalised else _at(checkpoint.preprocessing(), side)
    if any_size and prepare is None:
        raise InputError("images of any size need the preprocessing inside: leave normalised out")
    about = _about(net, checkpoint, side, prepare, any_size)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, quiet(), torch.no_grad():
        made = Path(folder) / f"network{SUFFIXES[to]}"  # torch.export checks the suffix
        WRITERS[to](traced(net, side, prepare, any_size), about, made)
        difference, runtime = _checked(made, _network(original, False), side, prepare, any_size)
        with open(made, "rb") as file, whole_file(target) as out:
            shutil.copyfileobj(file, out, 1 << 20)
    return Exported(target, about, runtime, difference)


def export_onnx(network: "nn.Module | str", path: str | os.PathLike, **options: Any) -> Path:
    """`export(..., "onnx")`; returns the path."""
    return export(network, path, "onnx", **options).path


def export_torch(network: "nn.Module | str", path: str | os.PathLike, **options: Any) -> Path:
    """`export(..., "torch")`, for `torch.export.load(path).module()`; returns the path."""
    return export(network, path, "torch", **options).path


def _checked(
    made: Path, net: Any, side: int, prepare: Preprocessing | None, any_size: bool
) -> tuple[float, str]:
    """(largest difference to the network's logits, runtime) of the file, on one image and on three.

    InputError if they differ by more than rounding.
    """
    found, worst = ExportedNetwork(made), 0.0
    numbers = np.random.default_rng(0)
    for count in (1, 3):
        if prepare is None:
            images: np.ndarray = numbers.standard_normal((count, 3, side, side), dtype=np.float32)
            seen = torch.from_numpy(images)
        else:
            size = [prepare.test_resolution + 40 * count, 3 * side] if any_size else [side, side]
            images = numbers.integers(0, 256, (count, *size, 3), dtype=np.uint8)
            at_once = prepare if any_size else replace(prepare, test_resolution=side)
            seen = torch.stack([at_once(image) for image in images])
        wanted = net(seen).numpy()
        difference = float(np.abs(found.logits(images) - wanted).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise InputError(
                f"not exported: with {found.runtime} the file's outputs differ from the network's "
                f"by up to {difference:.2g}; --unfused may help"
            )
        worst = max(worst, difference)
    return worst, found.runtime


def _about(
    net: Any,
    checkpoint: Checkpoint | None,
    side: int,
    prepare: Preprocessing | None,
    any_size: bool,
) -> dict[str, Any]:
    """The file's description, without None."""
    kind = "any" if any_size else "pixels" if prepare else "normalised"
    about = {
        "input": kind,
        "takes": {
            "any": "uint8 RGB images (N, H, W, 3) of any size",
            "pixels": f"uint8 RGB images (N, {side}, {side}, 3)",
            "normalised": f"normalised float32 RGB images (N, 3, {side}, {side})",
        }[kind],
        "outputs": [LOGITS] if prepare is None else [LOGITS, PROBABILITIES],
        "arch": net.arch.name,
        "num_classes": net.num_classes,
        "resolution": side,
    }
    if checkpoint is not None:
        shown = ("classes", "data", "run", "seed", "weights", "source", "licence")
        about |= {name: getattr(checkpoint.about, name) for name in shown}
        about["preprocessing"] = asdict(_at(checkpoint.preprocessing(), side))
    return {name: value for name, value in about.items() if value is not None}


def _target(path: str | os.PathLike, to: str) -> Path:
    target, suffix = Path(path), SUFFIXES[to]
    if target.is_dir():
        raise InputError(
            f"{path}: is a folder; give a file, for example {target / f'network{suffix}'}"
        )
    if target.suffix != suffix:
        raise InputError(
            f"{path}: a file of --to {to} ends in {suffix}, "
            f"for example {target.with_suffix(suffix).name}"
        )
    return target


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _opened(what: str, weights: str) -> Checkpoint:
    from fastscale.release.load import open_checkpoint

    return open_checkpoint(what, weights)


def _side(arch: Any, resolution: int | None) -> int:
    side = arch.resolution if resolution is None else resolution
    if isinstance(side, int) and side < arch.total_stride:
        raise InputError(
            f"resolution {side} is too small for {arch.name}: give at least {arch.total_stride}"
        )
    check_resolution(arch.name, side, arch.total_stride)
    return side


def _at(prepare: Preprocessing, side: int) -> Preprocessing:
    """The same crop of an image at another resolution."""
    whole = round(prepare.test_resolution * side / prepare.resolution)
    return replace(prepare, resolution=side, test_resolution=whole)


def check_finite(net: nn.Module, side: int) -> None:
    """InputError for a parameter or buffer with NaN or infinity, or for such outputs on noise.

    It names the tensor, or the first layer with such outputs.
    """
    if name := not_finite(net.state_dict()):
        raise InputError(f"{name} holds NaN or infinity: not a network to export")
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    if name := where_not_finite(net, noise):
        raise InputError(
            f"its outputs are not finite numbers, from {name} on: not a network to export"
        )


def _network(network: nn.Module, fused: bool) -> Any:
    if not hasattr(network, "arch"):
        raise InputError(
            f"{type(network).__name__}: not a network of fastscale.build or fastscale.load"
        )
    # a copy, so that the caller's network keeps its mode, device and precision
    net = copy.deepcopy(network).eval().cpu().float()
    if fused and any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
        from fastscale.release.fuse import fuse

        return fuse(net)
    return net
