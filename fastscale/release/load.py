"""`fastscale.load` and `fastscale.transforms`: from a checkpoint's name or path to its network."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastscale.errors import InputError
from fastscale.models.network import Network
from fastscale.release import places
from fastscale.release.checkpoint import Checkpoint, from_weights, read_file, read_training
from fastscale.release.description import describe
from fastscale.release.fetch import fetch, fetch_url
from fastscale.release.manifest import SUFFIX, find, unknown
from fastscale.release.preprocess import Preprocessing
from fastscale.release.public import find_public
from fastscale.scaling import arch_named
from fastscale.training.better import check_choice

if TYPE_CHECKING:
    from torch import nn

    from fastscale.release.importing import ImportedWeights

ADDRESS = ("http://", "https://")
# names of other projects' weights
PUBLIC = ("pycls/", "torchvision/", "timm/", "efficientnet-lite/")
FOREIGN = (".pth", ".pt", ".pyth", ".bin", ".pkl", ".tar")


def open_checkpoint(what: str | os.PathLike, weights: str = "auto") -> Checkpoint:
    """The checkpoint that `what` names, fully checked.

    `what`: a released name (`<arch>_<data>`, with or without its hash), a `.safetensors` file, an
    address, `hf:org/name`, efficientnet-lite0 to 2, `pycls/<network>` and other public weights, a
    `.ckpt` file or a run's folder. `weights`: raw, ema, or auto (the better by recorded error), if
    it holds both. InputError for anything that cannot be loaded safely.
    """
    check_choice(weights)
    found = _opened(what, weights)
    other = {"raw": "averaged", "ema": "raw"}.get(weights)
    if found.about.weights == other:  # a file with one set of weights
        raise InputError(f"{found.where}: holds {other} weights only; leave --weights out")
    return found


def _opened(what: str | os.PathLike, weights: str) -> Checkpoint:
    if not isinstance(what, str | os.PathLike):
        raise InputError(f"expected a checkpoint's name or path, got {what!r}")
    text = os.fspath(what)
    if isinstance(what, str):
        if text.startswith(ADDRESS):
            return read_file(fetch_url(text), sha256_in(text))
        if text.startswith("hf:"):
            from fastscale.release.hub import from_hub

            return from_hub(text)
        public = find_public(text)
        if (public is not None or text.startswith(PUBLIC)) and not Path(text).exists():
            from fastscale.release.importing.known import load_known

            chosen = {} if weights == "auto" else {"weights": weights}
            name = text if public is None else public.name
            return from_imported(load_known(name, cache=places.cache(), say=places.say, **chosen))
    path = Path(text).expanduser()
    looks_like_path = os.sep in text or text.endswith((SUFFIX, ".ckpt", *FOREIGN))
    if (text and os.path.isdir(path)) or text.endswith(".ckpt"):
        return read_training(path, weights)
    if os.path.isfile(path) and not text.endswith(FOREIGN):
        return (
            read_file(path, known_hash(path))
            if text.endswith(SUFFIX)
            else read_training(path, weights)
        )
    if text.endswith(FOREIGN) and os.path.isfile(path):
        raise InputError(
            f"{path}: another project's weights? "
            f"`fastscale checkpoint import {path.name} --from timm` reads them"
        )
    if looks_like_path and not (text.endswith(SUFFIX) and os.sep not in text):
        raise InputError(
            f"{text}: no such checkpoint; "
            f"give a released name, a {SUFFIX} or .ckpt file, or a run's folder"
        )
    entries = places.released()
    entry = find(text, entries)
    if entry is None:
        raise unknown(text, entries)
    return read_file(fetch(entry), entry.sha256)


def known_hash(path: Path) -> str | None:
    """The sha256 that a file must have by its name, or None if the name has no hash.

    InputError if its name ends in a hash that is not its own.
    """
    found = next((e.sha256 for e in places.released() if e.file == path.name), None)
    if found is None and (named := re.search(r"-([0-9a-f]{8})\.safetensors\Z", path.name)):
        from fastscale.data.download import file_hash

        if (digest := file_hash(path))[:8] != named[1]:
            raise InputError(
                f"{path}: its sha256 is {digest}, its name says {named[1]}...: "
                "cut short, damaged, or renamed"
            )
        return digest
    return found


def sha256_in(url: str) -> str | None:
    """The hash after an address's #, or None."""
    found = re.search(r"#sha256=([0-9a-f]{64})\Z", url)
    return found[1] if found else None


def from_imported(found: "ImportedWeights") -> Checkpoint:
    """The checkpoint of another project's weights, with our names."""
    about = describe(
        arch_named(found.arch_name),
        num_classes=found.num_classes,
        mean=tuple(found.mean),
        std=tuple(found.std),
        classes=found.class_names,
        weights="imported",
        source=found.source,
        licence=found.licence,
    )
    return from_weights(about, found.state_dict, found.source)


def load(
    what: str | os.PathLike,
    num_classes: int | None = None,
    fused: bool = False,
    weights: str = "auto",
) -> "Network | nn.Module":
    """The network that `what` names (see `open_checkpoint`), in eval mode on the CPU.

    The hash is checked before anything is read. `num_classes`: a different number initialises a new
    last layer. `fused`: fold batch norms into their convs, for inference.
    """
    net = open_checkpoint(what, weights).network(num_classes)
    if not fused:
        return net
    from fastscale.release.fuse import fuse

    return fuse(net)


def transforms(what: str | os.PathLike) -> Preprocessing:
    """A checkpoint's test preprocessing: PIL image or uint8 array -> (3, R, R) float32 tensor."""
    return open_checkpoint(what).preprocessing()
