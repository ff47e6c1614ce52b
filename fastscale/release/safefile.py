"""Released files: safetensors, written by its own package so that equal content is equal bytes, and
checked in full before memory is asked for."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fastscale.common import plain
from fastscale.data.download import file_hash
from fastscale.errors import InputError

DTYPES = ("float32", "float16", "int64")  # torch's names of what a checkpoint holds


@dataclass(frozen=True)
class Place:
    """A tensor as a header gives it; `dtype` in safetensors' words: F32, F16, I64."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SafeFile:
    """A checked file in memory."""

    where: str
    sha256: str
    metadata: dict[str, str]
    tensors: dict[str, Tensor]


Expect = Callable[[dict[str, str], dict[str, Place], str], object]


def pack(tensors: dict[str, Tensor], key: str, text: str) -> bytes:
    """The file's bytes. One key of metadata only: the package writes several in any order."""
    from safetensors.torch import save

    return save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {key: text})


def read(
    path: str | os.PathLike, sha256: str | None = None, expect: Expect | None = None
) -> SafeFile:
    """The file at `path`: its hash, its header, then `expect(metadata, places, where)`, and only
    when these agree its tensors. InputError in one line for anything that is not right."""
    from safetensors.torch import load

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    digest = file_hash(path)
    if sha256 not in (None, digest):
        raise InputError(
            f"{path}: its sha256 is {digest}, wanted {sha256}: not the released file; delete it and load again"
        )
    metadata, places = refusing(path, header)
    if expect is not None:
        expect(metadata, places, str(path))
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError(f"{path}: was changed while it was read")
    return SafeFile(str(path), digest, metadata, load(data))


def header(path: Path) -> tuple[dict[str, str], dict[str, Place]]:
    """(metadata, places); the package holds each tensor's type, shape and offsets against the others
    and the file's length, and reads no tensor."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:  # as "pt", it would map the file as memory to write to
        names = file.keys()
        slices = {name: file.get_slice(name) for name in names}
        places = {k: Place(s.get_dtype(), tuple(s.get_shape())) for k, s in slices.items()}
        return file.metadata() or {}, places


def refusing(path: Path, load: Callable[[Path], Any]) -> Any:
    """`load(path)` with what safetensors raises as InputError."""
    from safetensors import SafetensorError

    try:
        return load(path)
    except (SafetensorError, OSError) as error:
        reason = plain(" ".join(str(error)[:1000].split()))[:120]  # it may quote all of the header
        raise InputError(f"{path}: not a safetensors file, or cut short ({reason})") from None
