"""Converts another project's tensors to ours: network, names, channel order, eps, preprocessing.

Three things do not show in the tensors:

- pycls reads images with OpenCV, so its networks expect BGR. The stem's input channels are
  reversed, and mean and std are RGB's.
- A batch norm's eps is part of the network. If theirs differs from ours, the difference goes into
  the running variance, which keeps the outputs:
  sqrt(var + theirs) = sqrt((var + theirs - ours) + ours).
- TensorFlow's padding (timm's tf_*) has the same tensors as even padding. The file's name or the
  config.json beside it tells them apart.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastscale.archs import Arch, base_arch, base_names
from fastscale.common import IMAGENET_MEAN, IMAGENET_STD
from fastscale.data.images import Say
from fastscale.errors import InputError
from fastscale.release.checkpoint import finite
from fastscale.release.importing.architectures import check_named, named
from fastscale.release.importing.names import FORMATS, tensor_names, tensor_shapes
from fastscale.release.importing.reading import read_weights, told_config
from fastscale.release.places import say
from fastscale.scaling import arch_named
from fastscale.training.classes import imagenet_names, imagenet_wnids
from fastscale.training.values import is_number, is_texts

Three = tuple[float, float, float]
HALF: Three = (127.5, 127.5, 127.5)
COUNTER = ".num_batches_tracked"
# settings of timm's preprocessing that are not applied
NOT_FOLLOWED = (
    "input_size",
    "test_input_size",
    "crop_pct",
    "test_crop_pct",
    "crop_mode",
    "interpolation",
)
TORCHVISION_EPS_1E3 = ("efficientnet-b5", "efficientnet-b6", "efficientnet-b7")


@dataclass(frozen=True)
class ImportedWeights:
    """`state_dict` fits `fastscale.build(arch_name, num_classes)`.

    `mean`, `std`: of R, G, B from 0 to 255. `source`: where the weights are from. `class_names` and
    `licence`: None if unknown.
    """

    arch_name: str
    state_dict: dict[str, Tensor]
    num_classes: int
    mean: Three
    std: Three
    class_names: tuple[str, ...] | None
    source: str
    licence: str | None


def import_file(
    path: str | os.PathLike,
    source_format: str,
    arch_name: str | None = None,
    licence: str | None = None,
    say: Say = say,
    weights: str = "auto",
) -> ImportedWeights:
    """The weights in another project's file; runs no code from it.

    `source_format`: pycls, timm, torchvision or efficientnet-lite. `arch_name`: our name of the
    network (default: recognised from the tensors). `weights`: raw, ema, or auto (see
    `read_weights`), for a file with both. `say` gets a line if timm's preprocessing is not applied.
    InputError unless the file has exactly the network's tensors (it names what does not fit), and
    if the file or config.json name a network that is not known to equal ours.
    """
    if source_format not in FORMATS:
        raise InputError(f"no format {source_format!r}; choose from: {', '.join(FORMATS)}")
    path = Path(path)
    config = told_config(path) if source_format == "timm" else {}
    pretrained = config.get("pretrained_cfg", {})
    if not isinstance(pretrained, dict):
        raise InputError(f"{path}: pretrained_cfg in the config.json beside it is not an object")
    read = read_weights(path, weights, say)
    their_name = next(iter(named({**read.settings, **config})), path.name)
    found = import_tensors(read.tensors, source_format, arch_name, str(path), their_name, licence)
    arch = arch_named(found.arch_name)
    for settings in (read.settings, config, pretrained):
        check_named(arch, source_format, settings, path.name, str(path))
    found = replace(found, class_names=_class_names(config, found, path))
    if source_format == "timm":  # its training command may set them, and the file keeps them
        trained = {k: read.settings[k] for k in ("mean", "std") if read.settings.get(k)}
        pretrained = {**trained, **pretrained}
    ignored = {name: pretrained[name] for name in NOT_FOLLOWED if pretrained.get(name) is not None}
    if ignored:
        listed = ", ".join(f"{k} {' '.join(str(v).split())[:40]}" for k, v in ignored.items())
        say(
            f"{path.parent / 'config.json'}: not followed: {listed}; test images have a shorter "
            f"side of {arch.test_resolution} px by area, {arch.resolution} px of it, so errors may "
            "differ from the published"
        )
    if not {"mean", "std"} <= set(pretrained):
        return found
    mean, std = (
        _three(pretrained[name], least, name, path)
        for name, least in (("mean", 0.0), ("std", 1e-3))
    )
    return replace(found, mean=mean, std=std)


def _class_names(
    config: dict[str, Any], found: ImportedWeights, path: Path
) -> tuple[str, ...] | None:
    """The class names in config.json, with English names for ImageNet's WordNet ids."""
    names, count = config.get("label_names"), config.get("num_classes")
    if count is not None and count != found.num_classes:
        raise InputError(
            f"{path}: has {found.num_classes} outputs, the config.json beside it {count!r}"
        )
    if names is None:
        return found.class_names
    if not isinstance(names, list) or not is_texts(names) or len(names) != found.num_classes:
        raise InputError(
            f"{path}: label_names in the config.json beside it must be {found.num_classes} names"
        )
    return imagenet_names() if tuple(names) == imagenet_wnids() else tuple(names)


def import_tensors(
    tensors: dict[str, Tensor],
    source_format: str,
    arch_name: str | None = None,
    source: str = "tensors",
    their_name: str = "",
    licence: str | None = None,
) -> ImportedWeights:
    """Like `import_file`, from tensors; `their_name`: of the file or network in its project."""
    arch = recognise(tensors, source_format, source) if arch_name is None else arch_named(arch_name)
    problem = misfit(arch, source_format, tensors)
    if problem:
        raise InputError(f"{source}: not {arch.name} as {source_format} keeps it: {problem}")
    _check_padding(arch, source_format, their_name, source, arch_name is not None)
    names = tensor_names(arch, source_format)
    state = {ours: _plain(tensors.get(theirs), ours) for ours, theirs in names.items()}
    if source_format == "pycls":
        state["stem.conv.weight"] = state["stem.conv.weight"].flip(1).contiguous()
    if source_format == "torchvision" and arch.name in TORCHVISION_EPS_1E3:
        for name in [n for n in state if n.endswith("running_var")]:
            state[name] = state[name] + (1e-3 - 1e-5)
    finite(state, source)
    classes = state["head.fc.weight"].shape[0]
    half = arch.padding == "same"
    mean, std = (HALF, HALF) if half else (IMAGENET_MEAN, IMAGENET_STD)
    return ImportedWeights(
        arch.name,
        state,
        classes,
        mean,
        std,
        imagenet_names() if classes == 1000 else None,
        source,
        licence,
    )


def recognise(tensors: dict[str, Tensor], source_format: str, source: str = "tensors") -> Arch:
    """The base network with these tensors; InputError with the nearest one's misfit if none has."""
    problems: dict[str, str] = {}
    for name in base_names():
        problems[name] = misfit(base_arch(name), source_format, tensors)
        if not problems[name]:
            return base_arch(name)
    nearest = min(problems, key=lambda name: _distance(base_arch(name), source_format, tensors))
    raise InputError(
        f"{source}: no network here has these tensors as {source_format} names them; "
        f"nearest is {nearest}: {problems[nearest]}"
    )


def misfit(arch: Arch, source_format: str, tensors: dict[str, Tensor]) -> str:
    """Why these are not the tensors of `arch`; "" if they are."""
    try:
        names = tensor_names(arch, source_format)
    except KeyError:
        return f"{source_format} has no network built like {arch.name}"
    missing = [
        theirs
        for theirs in names.values()
        if theirs not in tensors and not theirs.endswith(COUNTER)
    ]
    extra = sorted(set(tensors) - set(names.values()))
    problems = [
        f"{len(some)} {word}: {_first(some)}"
        for word, some in (("missing", missing), ("left over", extra))
        if some
    ]
    if problems:
        return "; ".join(problems)
    fc = tensors[names["head.fc.weight"]]
    shapes = tensor_shapes(arch, fc.shape[0] if fc.ndim == 2 else 1)
    for ours, theirs in names.items():
        if theirs in tensors and tuple(tensors[theirs].shape) != shapes[ours]:
            return f"{theirs} is {tuple(tensors[theirs].shape)}, wanted {shapes[ours]}"
    return ""


def _distance(arch: Arch, source_format: str, tensors: dict[str, Tensor]) -> int:
    """How many names and shapes differ."""
    try:
        names, shapes = tensor_names(arch, source_format), tensor_shapes(arch, 1000)
    except KeyError:
        return 1 << 30
    wrong = sum(
        tuple(tensors[theirs].shape) != shapes[ours]
        for ours, theirs in names.items()
        if theirs in tensors
    )
    return len(set(names.values()) ^ set(tensors)) + wrong


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _plain(tensor: Tensor | None, name: str) -> Tensor:
    """A copy as float32, or int64 for a counter; a counter missing in an old file is 0."""
    if tensor is None:
        return torch.zeros((), dtype=torch.int64)
    dtype = torch.int64 if name.endswith(COUNTER) else torch.float32
    return tensor.detach().to(dtype).clone().contiguous()


def _check_padding(
    arch: Arch, source_format: str, their_name: str, source: str, named: bool
) -> None:
    """InputError if timm's tensors fit but its network pads differently from ours."""
    if source_format != "timm" or arch.family != "EfficientNet":
        return
    tensorflow, other = their_name.startswith("tf_"), their_name.startswith("efficientnet")
    if arch.padding == "even" and tensorflow:
        raise InputError(
            f"{source}: {their_name} pads as TensorFlow does, {arch.name} evenly: its outputs "
            "would differ; take timm's weights without tf_"
        )
    if arch.padding == "same" and not tensorflow and (other or not named):
        raise InputError(
            f"{source}: {arch.name} pads as TensorFlow does, and timm has such weights under "
            "tf_efficientnet_lite*; if these are of that kind, give the network's name"
        )


def _three(values: object, least: float, name: str, path: Path) -> Three:
    """Three checked values on our scale, 0 to 255; timm's is 0 to 1."""
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(is_number(v, least, 1) for v in values)
    ):
        raise InputError(
            f"{path}: {name} in the config.json beside it must be three numbers from {least:g} to 1"
        )
    return (255.0 * values[0], 255.0 * values[1], 255.0 * values[2])
