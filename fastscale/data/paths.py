"""The one place where data is kept: $FASTSCALE_DATA, by default ~/.cache/fastscale; a folder for each source in it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def data_root(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """`data_dir` if given, else $FASTSCALE_DATA, else ~/.cache/fastscale. The folder need not exist yet."""
    chosen = data_dir or os.environ.get("FASTSCALE_DATA") or Path.home() / ".cache" / "fastscale"
    return Path(chosen).expanduser().absolute()


def beton_folder(source_name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where `train.beton` and `val.beton` of the source with this name are: data_root/<source>/beton."""
    return data_root(data_dir) / source_name / "beton"


def write_command(spec: str, data_dir: str | os.PathLike[str] | None = None) -> str:
    """The command that fetches a source and writes its `.beton` files, as error messages give it."""
    words = [
        "fastscale",
        "data",
        "write",
        spec,
        *(["--data-dir", str(data_dir)] if data_dir else []),
    ]
    return shlex.join(words)
