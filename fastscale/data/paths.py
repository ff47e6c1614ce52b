"""Where data is kept: $FASTSCALE_DATA (default: ~/.cache/fastscale), a folder for each source."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastscale.common import plain
from fastscale.errors import InputError
from fastscale.home import home


def data_root(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """`data_dir`, else $FASTSCALE_DATA, else ~/.cache/fastscale. The folder need not exist."""
    return Path(data_dir).expanduser().absolute() if data_dir else home().data


def beton_folder(source_name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder of a source's `train.beton` and `val.beton`: data_root/<source>/beton."""
    return data_root(data_dir) / source_name / "beton"


def write_command(
    spec: str, data_dir: str | os.PathLike[str] | None = None, settings: Mapping[str, Any] = {}
) -> str:
    """The command that fetches a source and writes its `.beton` files, for messages.

    `settings`: the options of how images are stored; None values are skipped. InputError for a
    path that is not UTF-8, as it goes into descriptions and records.
    """
    words = ["fastscale", "data", "write", spec]
    words += ["--data-dir", str(data_dir)] if data_dir else []
    for name, value in settings.items():
        words += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    for word in words:
        try:
            word.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(f"{plain(word)}: this path is not UTF-8; rename it") from None
    return shlex.join(words)


def offline() -> bool:
    """Whether FASTSCALE_OFFLINE forbids connections."""
    return os.environ.get("FASTSCALE_OFFLINE", "0").lower() not in ("", "0", "false", "no")
