"""`fastscale list data`: the named data sets, and those written on this machine."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastscale.data.beton import read_both
from fastscale.data.info import BetonInfo
from fastscale.data.paths import data_root
from fastscale.data.sizes import SIZES
from fastscale.data.sources import SOURCES
from fastscale.errors import InputError


def written(data_dir: str | os.PathLike[str] | None = None) -> dict[str, tuple[Path, BetonInfo]]:
    """Every source written in the data folder: {spec: its train.beton and description}."""
    found = {}
    for path in sorted(data_root(data_dir).glob("*/beton/train.beton")):
        with suppress(InputError, ValueError, IndexError, OSError):
            info = read_both(path, old=True)[0]
            found[shlex.split(info.command)[3]] = (path, info)
    return found


def sources_here(data_dir: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """A row for each named source and for each other one that is written here.

    `source` is the value for `--data.source`. The others: images of both splits, classes, MB on
    disk, folder.
    """
    rows, found = [], written(data_dir)
    for name in dict.fromkeys([*SOURCES, *found]):
        if name in found:
            rows.append(_row(name, *found[name]))
        else:
            images, classes = SIZES.get(name, (None, None))
            rows.append(_empty(name) | {"train_images": images, "classes": classes})
    return rows


def _empty(name: str) -> dict[str, Any]:
    columns = ("train_images", "val_images", "classes", "mb")
    return {"source": name, **dict.fromkeys(columns), "where": "not written yet"}


def _row(name: str, path: Path, train: BetonInfo) -> dict[str, Any]:
    size, val = path.stat().st_size, None
    other = path.with_name("val.beton")
    with suppress(InputError, ValueError, IndexError, OSError):
        val = read_both(other, old=True)[0].count
        size += other.stat().st_size
    return _empty(name) | {
        "train_images": train.count,
        "val_images": val,
        "classes": len(train.classes),
        "mb": round(size / 1e6, 1),
        "where": str(path.parent),
    }
