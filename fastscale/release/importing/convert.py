"""From another project's tensors to ours: which network they are of, names, channel order, batch norm's eps, preprocessing.

What does not show in a tensor is settled here, once:

- pycls reads images with OpenCV, so its networks expect BGR: the stem's input channels are turned round, mean and std are RGB's.
- A batch norm's eps is part of the network. Where theirs differs from ours, the difference goes into the running variance, which leaves
  the outputs as they were: sqrt(var + theirs) = sqrt((var + theirs - ours) + ours).
- TensorFlow's padding (timm's tf_*) has the same tensors as the even one. It is known by the file's name, or the config.json beside it.
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
NOT_FOLLOWED = (
    "input_size",
    "test_input_size",
    "crop_pct",
    "test_crop_pct",
    "crop_mode",
    "interpolation",
)  # of timm's preprocessing
TORCHVISION_EPS_1E3 = ("efficientnet-b5", "efficientnet-b6", "efficientnet-b7")


@dataclass(frozen=True)
class ImportedWeights:
    """`state_dict` fits `fastscale.build(arch_name, num_classes)`. `mean`, `std` per channel of RGB on the scale 0 to 255.

    `class_names` where they are known; `source` says where the weights are from, `licence` what they may be used under, if known.
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
    """The weights in a file of another project, without running anything from it.

    `source_format`: pycls, timm, torchvision or efficientnet-lite. `arch_name`: our name of the
    network; default: found from the tensors. `weights`: of a file with two sets: raw, ema, or auto
    (see `read_weights`). `say` gets a line where timm's preprocessing is not followed. InputError,
    with the first names and the shapes that do not fit, unless every tensor of the network is there
    and nothing else; and where file or config.json name a network that is not known to be ours.
    """
    if source_format not in FORMATS:
        raise InputError(f"no format {source_format!r}; there are: {', '.join(FORMATS)}")
    path = Path(path)
    config = told_config(path) if source_format == "timm" else {}
    pretrained = config.get("pretrained_cfg", {})
    if not isinstance(pretrained, dict):
        raise InputError(
            f"{path}: pretrained_cfg in the config.json beside it is no object of settings"
        )
    read = read_weights(path, weights, say)
    told = next(iter(named({**read.settings, **config})), path.name)
    found = import_tensors(read.tensors, source_format, arch_name, str(path), told, licence)
    arch = arch_named(found.arch_name)
    for settings in (read.settings, config, pretrained):
        check_named(arch, source_format, settings, path.name, str(path))
    found = replace(found, class_names=_class_names(config, found, path))
    if source_format == "timm":  # given on its training command: a part of the file
        trained = {k: read.settings[k] for k in ("mean", "std") if read.settings.get(k)}
        pretrained = {**trained, **pretrained}
    if ignored := {
        name: pretrained[name] for name in NOT_FOLLOWED if pretrained.get(name) is not None
    }:
        said = ", ".join(
            f"{name} {' '.join(str(value).split())[:40]}" for name, value in ignored.items()
        )
        own = f"a shorter side of {arch.test_resolution} px by area, {arch.resolution} px of it"
        say(
            f"{path.parent / 'config.json'}: not followed: {said}; test images have {own}, so errors may differ from the published"
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
    """Those of the config.json, ImageNet's WordNet ids by their English names."""
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
    told: str = "",
    licence: str | None = None,
) -> ImportedWeights:
    """As `import_file`, of tensors that were read; `told`: the file's or the architecture's name in its project."""
    arch = recognise(tensors, source_format, source) if arch_name is None else arch_named(arch_name)
    problem = misfit(arch, source_format, tensors)
    if problem:
        raise InputError(f"{source}: not {arch.name} as {source_format} keeps it: {problem}")
    _check_padding(arch, source_format, told, source, arch_name is not None)
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
    """The base network whose tensors these are; InputError with what the nearest one lacks where it is none."""
    problems: dict[str, str] = {}
    for name in base_names():
        problems[name] = misfit(base_arch(name), source_format, tensors)
        if not problems[name]:
            return base_arch(name)
    nearest = min(problems, key=lambda name: _distance(base_arch(name), source_format, tensors))
    raise InputError(
        f"{source}: no network here has these tensors as {source_format} names them; nearest is {nearest}: {problems[nearest]}"
    )


def misfit(arch: Arch, source_format: str, tensors: dict[str, Tensor]) -> str:
    """What keeps these from being the tensors of `arch`; "" if nothing does."""
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
    said = [
        f"{len(some)} {word}: {_first(some)}"
        for word, some in (("missing", missing), ("left over", extra))
        if some
    ]
    if said:
        return "; ".join(said)
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
    """float32 weights and int64 counters in memory of their own; a counter that an old file lacks is 0."""
    if tensor is None:
        return torch.zeros((), dtype=torch.int64)
    return (
        tensor.detach()
        .to(torch.int64 if name.endswith(COUNTER) else torch.float32)
        .clone()
        .contiguous()
    )


def _check_padding(arch: Arch, source_format: str, told: str, source: str, named: bool) -> None:
    """InputError where timm's tensors fit but its network pads differently from ours."""
    if source_format != "timm" or arch.family != "EfficientNet":
        return
    tensorflow, other = told.startswith("tf_"), told.startswith("efficientnet")
    if arch.padding == "even" and tensorflow:
        raise InputError(
            f"{source}: {told} pads as TensorFlow does, {arch.name} evenly: its outputs would differ; take timm's weights without tf_"
        )
    if arch.padding == "same" and not tensorflow and (other or not named):
        raise InputError(
            f"{source}: {arch.name} pads as TensorFlow does, and timm has such weights under tf_efficientnet_lite*; "
            "if these are of that kind, give the network's name"
        )


def _three(values: object, least: float, name: str, path: Path) -> Three:
    """timm's scale is 0 to 1."""
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(is_number(v, least, 1) for v in values)
    ):
        raise InputError(
            f"{path}: {name} in the config.json beside it must be three numbers from {least:g} to 1"
        )
    return (255.0 * values[0], 255.0 * values[1], 255.0 * values[2])
