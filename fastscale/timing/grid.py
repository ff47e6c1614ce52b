"""The declared grids of configs/timing/<name>.yaml: which networks a sweep measures, and how.

    name: cpu                       the file's name
    shows: ...                      what a reader learns from it
    data: imagenet                  the epoch's data set, of `images` images and `classes` classes
    recipe: imagenet-100ep          optimizer and label smoothing
    rounds: 5                       of about `round_s` seconds; `limit_s`: limit of a measurement
    reference: {network: efficientnet-b0, batch: 16}   timed repeatedly to detect drift
    cudnn: heuristics               or search: cuDNN tries its kernels, seconds a network
    parts:                          measured side by side, each in an order that covers it evenly
      - bases: [...]
        strategies: [base, d, dWr]  `base`: the unscaled network
        factors: [2, 4]             or, instead of these three, `artifacts: [fig-2]`: the networks
                                    of artifacts; or `pairs: [[A, B], ...]`, in this order
        what: [train, inference]
        precision: [bf16-mixed]
        layout: [channels_last]
        compile: [false]
        batch: 64                   and inference_batch (default: batch)
        stage: 1                    default; parts of stage 2 follow after stage 1

An unknown or missing key is an InputError that names it.
"""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fastscale.archs.names import NetworkName
from fastscale.archs.registry import base_arch
from fastscale.common import IMAGENET_IMAGES, did_you_mean, read_yaml
from fastscale.data.sizes import epoch_of
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.scaling import Strategy, arch_named
from fastscale.training.recipe import PRECISIONS, load_recipe

LAYOUTS = ("contiguous", "channels_last")
WHAT = ("train", "inference")
CUDNN = ("heuristics", "search")  # how cuDNN chooses its kernels
MOST_BATCH = 1_000_000


@dataclass(frozen=True)
class Setting:
    """How a network is measured."""

    what: str
    precision: str
    layout: str
    compile: bool
    batch: int

    def __str__(self) -> str:
        mode = "compiled" if self.compile else "eager"
        return f"{self.what}, {self.precision}, {self.layout}, {mode}, batch {self.batch}"


@dataclass(frozen=True)
class Part:
    """Networks, each measured under every setting."""

    networks: tuple[NetworkName, ...]
    settings: tuple[Setting, ...]
    stage: int = 1
    in_order: bool = False  # measured in the listed order; else in one that covers them evenly


@dataclass(frozen=True)
class Grid:
    """What a sweep measures."""

    name: str
    parts: tuple[Part, ...]
    reference: tuple[str, int]  # reference network and batch
    shows: str = ""
    data: str = "imagenet"
    images: int = IMAGENET_IMAGES
    classes: int = 1000
    recipe: str = "imagenet-100ep"
    rounds: int = 5
    round_s: float = 0.5
    limit_s: float = 300.0
    cudnn: str = "heuristics"

    def __post_init__(self) -> None:
        where = f"grid {self.name!r}"
        # the name is part of file names
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise InputError(f"{where}: a name has only letters, digits, _ and -")
        for key in ("shows", "data", "recipe"):
            if not isinstance(getattr(self, key), str):
                raise InputError(f"{where}: {key} must be text, got {getattr(self, key)!r}")
        for key, most in (("images", 10**12), ("classes", 10**6), ("rounds", 10**4)):
            _whole(getattr(self, key), most, f"{where}: {key}")
        for key in ("round_s", "limit_s"):
            _number(getattr(self, key), 1_000_000, f"{where}: {key}")
        if self.cudnn not in CUDNN:
            raise InputError(f"{where}: cudnn {self.cudnn!r}: there are {', '.join(CUDNN)}")
        if not any(part.networks and part.settings for part in self.parts):
            raise InputError(
                f"grid {self.name!r} is empty: give it parts with bases, strategies and factors"
            )
        for network in {n.name for part in self.parts for n in part.networks} | {self.reference[0]}:
            arch_named(network)  # raises for an unknown name
        load_recipe(self.recipe)


def grid_names() -> list[str]:
    """The grids of configs/timing."""
    return sorted(path.stem for path in home().grids.glob("*.yaml"))


def load_grid(name: str) -> Grid:
    """The grid of that name, or of a YAML file. InputError for an invalid grid."""
    if not isinstance(name, str):
        raise InputError(
            f"a grid is a name (text), got {name!r}; choose from: {', '.join(grid_names())}"
        )
    path = Path(name) if name.endswith((".yaml", ".yml")) else home().grids / f"{name}.yaml"
    if not os.path.isfile(path):
        near = did_you_mean(name, grid_names())
        raise InputError(f"no grid is named {name!r}, nor is it a YAML file; {near}")
    known = [f.name for f in fields(Grid)]
    content = _table(read_yaml(path), known, ("name", "parts", "reference"), str(path))
    reference = _table(
        content["reference"], ("network", "batch"), ("network", "batch"), f"{path}: reference"
    )
    if not isinstance(content["parts"], list):
        raise InputError(f"{path}: parts must be a list")
    parts = tuple(_part(p, f"{path}: part {i}") for i, p in enumerate(content["parts"], start=1))
    batch = _whole(reference["batch"], MOST_BATCH, f"{path}: reference: batch")
    if isinstance(data := content.get("data", "imagenet"), str):
        sizes = epoch_of(data, content.get("images"), content.get("classes"))
        content["images"], content["classes"] = sizes
    return Grid(**{**content, "parts": parts, "reference": (str(reference["network"]), batch)})


def _part(content: Any, where: str) -> Part:
    keys = (
        "artifacts",
        "pairs",
        "bases",
        "strategies",
        "factors",
        "what",
        "precision",
        "layout",
        "compile",
        "batch",
        "inference_batch",
        "stage",
    )
    listed = [key for key in ("artifacts", "pairs") if isinstance(content, dict) and key in content]
    named = listed or ("bases", "strategies")
    content = _table(content, keys, (*named, "what", "precision", "layout", "batch"), where)
    if listed and (len(listed) > 1 or {"bases", "strategies", "factors"} & set(content)):
        raise InputError(
            f"{where}: give artifacts, or bases, strategies and factors, or pairs, not two of these"
        )
    for key in (*named, "factors", "what", "precision", "layout", "compile"):
        if not isinstance(content.setdefault(key, [False] if key == "compile" else []), list):
            raise InputError(f"{where}: {key} must be a list, got {content[key]!r}")
    batch = _whole(content["batch"], MOST_BATCH, f"{where}: batch")
    inference = _whole(
        content.get("inference_batch", batch), MOST_BATCH, f"{where}: inference_batch"
    )
    if listed == ["pairs"]:
        networks = _paired(content["pairs"], where)
    elif listed:
        networks = _planned(content["artifacts"], where)
    else:
        networks = make_networks(content["bases"], content["strategies"], content["factors"], where)
    settings = make_settings(
        content["what"],
        content["precision"],
        content["layout"],
        content["compile"],
        batch,
        inference,
        where,
    )
    stage = _whole(content.get("stage", 1), 1000, f"{where}: stage")
    return Part(networks, settings, stage, listed == ["pairs"])


def _planned(artifacts: Sequence[str], where: str) -> tuple[NetworkName, ...]:
    """The networks of the artifacts' full tiers, each once; only the artifacts' files list them."""
    found: list[NetworkName] = []
    for name in artifacts:
        path = home().artifacts / f"{name}.yaml"
        if not path.is_file():
            known = [other.stem for other in path.parent.glob("*.yaml")]
            near = did_you_mean(name, sorted(known))
            raise InputError(f"{where}: no artifact is named {name!r}; {near}")
        tier = (read_yaml(path).get("tiers") or {}).get("full")
        if not tier:
            raise InputError(f"{where}: {name} has no networks (no tier `full`)")
        for series in tier["series"]:
            found += make_networks(
                [series["base"]], series["strategies"], series["factors"], f"{path.name}: series"
            )
    return tuple(dict.fromkeys(found))


def _paired(pairs: Sequence[Sequence[str]], where: str) -> tuple[NetworkName, ...]:
    """The networks of the pairs, both of a pair together, each once."""
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"{where}: a pair is two names of networks, got {pair!r:.80}")
    return tuple(dict.fromkeys(NetworkName.parse(name) for pair in pairs for name in pair))


def make_networks(
    bases: Sequence[str], strategies: Sequence[str], factors: Sequence[float], where: str
) -> tuple[NetworkName, ...]:
    """Every base by every strategy and factor, each once; strategy `base` is the unscaled one."""
    found = []
    for base in bases:
        base_arch(str(base))
        for strategy in strategies:
            if strategy == "base":
                found.append(NetworkName(base))
                continue
            name = Strategy.parse(str(strategy)).spelling
            for factor in factors:
                size = _number(factor, 1_000_000, f"{where}: a factor")
                found.append(NetworkName(base, name, float(size)))
    return tuple(dict.fromkeys(found))


def make_settings(
    what: Sequence[str],
    precision: Sequence[str],
    layout: Sequence[str],
    compiled: Sequence[bool],
    batch: int,
    inference: int,
    where: str,
) -> tuple[Setting, ...]:
    """Every combination, each once. InputError for an unknown word."""
    for name, given, known in (
        ("what", what, WHAT),
        ("precision", precision, PRECISIONS),
        ("layout", layout, LAYOUTS),
    ):
        for value in given:
            if value not in known:
                raise InputError(f"{where}: {name} {value!r}: there are {', '.join(known)}")
    if any(not isinstance(c, bool) for c in compiled):
        raise InputError(f"{where}: compile must be true or false, got {list(compiled)!r}")
    found = [
        Setting(w, p, form, c, inference if w == "inference" else batch)
        for w in what
        for p in precision
        for form in layout
        for c in compiled
    ]
    return tuple(dict.fromkeys(found))


def _whole(value: Any, most: int, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{where} must be a whole number of at least 1, got {value!r}")
    return int(_number(value, most, where))


def _number(value: Any, most: float, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise InputError(f"{where} must be a finite number above 0, got {value!r}")
    if value > most:
        raise InputError(f"{where} must be at most {most:,}, got {value}")
    return value


def _table(content: Any, known: Sequence[str], needed: Sequence[str], where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{where}: expected keys with values, got {type(content).__name__}")
    for key in content:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r:.80}; {did_you_mean(key, known)}")
    missing = [key for key in needed if key not in content]
    if missing:
        raise InputError(f"{where}: missing key {', '.join(missing)}")
    return dict(content)
