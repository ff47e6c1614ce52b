"""From the name or path of trained weights to the start of a fine-tuning run."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from fastscale.errors import InputError
from fastscale.release.checkpoint import Checkpoint
from fastscale.release.importing import FORMATS
from fastscale.release.load import FOREIGN, from_imported, open_checkpoint
from fastscale.release.public import find_public
from fastscale.training.starting import Start

# fields of a checkpoint's description that a run starting from it records
KEPT = ("run", "data", "data_hash", "seed", "weights", "source", "licence")


def open_start(what: str) -> Start:
    """The weights that `what` names. InputError if they cannot be loaded.

    `what`: anything that `fastscale.load` takes, or another project's file as FORMAT:PATH
    (timm:resnet50.pth).
    """
    what = os.path.expanduser(what)
    found = _opened(what)
    about = found.about
    known = {f.name: getattr(about, f.name) for f in fields(about) if f.name in KEPT}
    origin: dict[str, Any] = {_kind(what): _named(what)} | {
        k: v for k, v in known.items() if v is not None
    }
    if (public := find_public(what)) is not None:
        origin |= {"data": "imagenet", "top1_error": public.top1_error}
    mean, std = _three(about.mean), _three(about.std)
    return Start(what, about.network, found.weights, about.classes, mean, std, origin)


def _kind(what: str) -> str:
    return "file" if os.path.exists(what.partition(":")[2] or what) else "name"


def _named(what: str) -> str:
    """A name for records without this machine's folders: a file's name, or a run and seed."""
    if _kind(what) == "name":
        return what
    path = Path(what.partition(":")[2] or what).resolve()
    return "/".join(path.parts[-2:]) if path.is_dir() else path.name


def _opened(what: str) -> Checkpoint:
    kind, colon, path = what.partition(":")
    if colon and kind in FORMATS:
        from fastscale.release.importing import import_file

        return from_imported(import_file(path, kind))
    if what.endswith(FOREIGN) and os.path.isfile(what):
        raise InputError(
            f"--weights {what}: another project's file? Name its format: --weights FORMAT:{what}, "
            f"FORMAT one of {', '.join(FORMATS)}"
        )
    return open_checkpoint(what)


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue
