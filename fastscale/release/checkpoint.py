"""A checkpoint in memory: its description, and weights checked against the arch before building."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastscale.archs import Arch
from fastscale.archs.check import check_classes
from fastscale.counts import complexity
from fastscale.errors import InputError
from fastscale.models import build
from fastscale.models.finite import not_finite
from fastscale.models.layers import initialise
from fastscale.models.network import Network
from fastscale.release import safefile
from fastscale.release.description import FLOATS, KEY, Description, describe
from fastscale.release.preprocess import Preprocessing
from fastscale.release.safefile import Place
from fastscale.scaling import network_of
from fastscale.training.better import WORDS, check_choice, choose_weights, recorded_errors
from fastscale.training.checkpoint_io import read_checkpoint

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Checkpoint:
    """A description and its weights: float32 on the CPU, named as in `fastscale.build(about.arch)`.

    `where`: its name in messages.
    """

    about: Description
    weights: dict[str, Tensor]
    where: str

    def network(self, num_classes: int | None = None) -> Network:
        """The network in eval mode; a different `num_classes` initialises a new last layer."""
        about = self.about
        if num_classes is not None:
            check_classes(num_classes)
        with torch.device("meta"):  # only shapes: the weights exist already
            net = build(about.network, about.num_classes)
        net.load_state_dict({k: v.clone() for k, v in self.weights.items()}, assign=True)
        if num_classes is not None and num_classes != about.num_classes:
            net.head.fc = nn.Linear(net.head.fc.in_features, num_classes)
            initialise(net.head.fc)
            net.num_classes = num_classes
        return net.eval()

    def preprocessing(self) -> Preprocessing:
        """The preprocessing of test images."""
        return Preprocessing(
            self.about.resolution, self.about.test_resolution, self.about.mean, self.about.std
        )

    def class_name(self, index: int) -> str:
        """The class name of a label; its number if the checkpoint has no names."""
        return str(index) if self.about.classes is None else self.about.classes[index]


def shapes(arch: Arch, num_classes: int) -> dict[str, tuple[int, ...]]:
    """Shape of every weight and buffer by name; allocates nothing."""
    with torch.device("meta"):
        return {name: tuple(t.shape) for name, t in build(arch, num_classes).state_dict().items()}


def check_places(places: dict[str, Place], about: Description, where: str) -> None:
    """InputError unless the header lists exactly the network's tensors, shapes and types."""
    learned = sum(math.prod(p.shape) for name, p in places.items() if not name.endswith(STATISTICS))
    params = complexity(about.network, num_classes=about.num_classes).params
    if learned != params:  # before `shapes`, which builds the network, perhaps a huge one
        raise InputError(
            f"{where}: holds {learned:,} parameters, {about.arch} with {about.num_classes} classes "
            f"has {params:,}"
        )
    wanted = shapes(about.network, about.num_classes)
    for problem, names in (
        ("lacks", wanted.keys() - places.keys()),
        ("has an unknown", places.keys() - wanted.keys()),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise InputError(f"{where}: {problem} tensor {min(names)!r}{more} for {about.arch}")
    for name, place in places.items():
        if place.shape != wanted[name]:
            raise InputError(
                f"{where}: tensor {name!r} has shape {list(place.shape)}, "
                f"{about.arch} wants {list(wanted[name])}"
            )
        kind = FLOATS[about.dtype] if len(place.shape) > 1 else "F32"
        kind = "I64" if name.endswith("num_batches_tracked") else kind
        if place.dtype != kind:
            raise InputError(
                f"{where}: tensor {name!r} is {place.dtype}, "
                f"wanted {kind} in a file of {about.dtype}"
            )


def stored(weights: dict[str, Tensor], dtype: str) -> dict[str, Tensor]:
    """The weights for a file of `dtype`; norms and biases stay float32."""
    half = {
        k: v.half() if dtype == "float16" and v.is_floating_point() and v.dim() > 1 else v
        for k, v in weights.items()
    }
    if name := not_finite(half):
        where = " in float16" if dtype == "float16" else ""
        raise InputError(f"{name} is not finite{where}: not a network to release")
    return half


def to_bytes(about: Description, weights: dict[str, Tensor]) -> bytes:
    """The bytes of a released file, the same for the same network."""
    return safefile.pack(stored(weights, about.dtype), KEY, about.to_json())


def read_file(path: str | os.PathLike, sha256: str | None = None) -> Checkpoint:
    """The checkpoint in a `.safetensors` file; `sha256`, if given, is checked first."""

    def expect(metadata: dict[str, str], places: dict[str, Place], where: str) -> None:
        check_places(places, Description.from_metadata(metadata, where), where)

    file = safefile.read(path, sha256, expect)
    weights = {k: v.float() if v.is_floating_point() else v for k, v in file.tensors.items()}
    about = Description.from_metadata(file.metadata, file.where)
    return Checkpoint(about, finite(weights, file.where), file.where)


def read_training(path: str | os.PathLike, weights: str = "auto") -> Checkpoint:
    """The checkpoint of a `.ckpt` file or a run's folder. `weights`: raw, ema, or auto (better)."""
    check_choice(weights)
    return from_training(read_checkpoint(path), weights, Path(path))


def from_training(content: dict[str, Any], weights: str, path: Path, **more: Any) -> Checkpoint:
    """The checkpoint from a training checkpoint's content; `more`: further description fields.

    `weights`: see `better.choose_weights`, which prints a line if raw and averaged (EMA) differ.
    """
    settings, trained = content["hyper_parameters"], content.get("trained_with", {})
    has_averaged = bool(settings["recipe"]["ema_rate"])
    taken = choose_weights(weights, recorded_errors(content, path), has_averaged, path)
    prefix = "ema." if taken == "ema" else "net."
    found = {
        k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)
    }
    classes = trained.get("classes")
    ran = {
        "classes": tuple(classes) if classes else None,
        **{k: trained.get(k) for k in ("run", "data", "data_hash", "loader", "precision")},
        "licence": (trained.get("ancestry") or {}).get("licence"),  # of the weights it started from
        **more,
    }
    if ran["precision"] is not None:
        ran["precision"] = str(ran["precision"])  # Lightning has both 32 and "32-true"
    about = describe(
        network_of(settings["arch"], settings.get("definition"), f"{path}: its definition"),
        num_classes=settings["num_classes"],
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        weights=WORDS[taken],
        seed=settings["seed"],
        recipe=settings["recipe"],
        **ran,
    )
    return from_weights(about, found, str(path))


def from_weights(about: Description, weights: dict[str, Tensor], where: str) -> Checkpoint:
    """A checkpoint from weights in memory, checked like a file."""
    for name, tensor in weights.items():
        if str(tensor.dtype).removeprefix("torch.") not in safefile.DTYPES:
            raise InputError(
                f"{where}: tensor {name!r} is {tensor.dtype}; "
                "a checkpoint holds float32, float16 and int64"
            )
    places = {
        k: Place("F32" if v.is_floating_point() else "I64", tuple(v.shape))
        for k, v in weights.items()
    }
    # before copying: a tensor with one number in memory can claim any shape
    check_places(places, replace(about, dtype="float32"), where)
    plain = {k: v.float().contiguous() if v.is_floating_point() else v for k, v in weights.items()}
    return Checkpoint(about, finite(plain, where), where)


def finite(weights: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """The weights; InputError if one is NaN or infinite."""
    if name := not_finite(weights):
        raise InputError(f"{where}: tensor {name!r} holds NaN or infinity: not a trained network")
    return weights
