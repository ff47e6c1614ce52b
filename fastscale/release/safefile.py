"""Released files: safetensors, equal bytes for equal content, checked before loading."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fastscale.common import damage, plain
from fastscale.data.download import file_hash
from fastscale.errors import InputError

_HEADER = "Error while deserializing header: "  # safetensors' beginning of every reason
DTYPES = ("float32", "float16", "int64")  # a checkpoint's, by their names in torch


@dataclass(frozen=True)
class Place:
    """A tensor in a header; `dtype` is safetensors': F32, F16, I64."""

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
    """The file's bytes, with one key of metadata: the package writes several in random order."""
    from safetensors.torch import save

    return save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {key: text})


def read(
    path: str | os.PathLike, sha256: str | None = None, expect: Expect | None = None
) -> SafeFile:
    """The file at `path`.

    Checks a given hash, header and `expect(metadata, places, where)` before it loads any tensor.
    InputError for anything wrong.
    """
    from safetensors.torch import load

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    before = path.stat()
    if sha256 is not None and (digest := file_hash(path)) != sha256:
        raise InputError(
            f"{path}: its sha256 is {digest}, wanted {sha256}: not the released file; "
            "delete it and load again"
        )
    metadata, places = refusing(path, header)
    if expect is not None:
        expect(metadata, places, str(path))
    data = path.read_bytes()
    digest, after = hashlib.sha256(data).hexdigest(), path.stat()
    state = (before.st_ino, before.st_size, before.st_mtime_ns)
    if sha256 not in (None, digest) or state != (after.st_ino, after.st_size, after.st_mtime_ns):
        raise InputError(f"{path}: changed while it was read")
    return SafeFile(str(path), digest, metadata, load(data))


def header(path: Path) -> tuple[dict[str, str], dict[str, Place]]:
    """(metadata, places). The package checks types, shapes and offsets, and reads no tensor."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:  # "pt" would map the file as writable memory
        names = file.keys()
        slices = {name: file.get_slice(name) for name in names}
        places = {k: Place(s.get_dtype(), tuple(s.get_shape())) for k, s in slices.items()}
        return file.metadata() or {}, places


def refusing(path: Path, load: Callable[[Path], Any]) -> Any:
    """`load(path)`, with safetensors' errors as InputError."""
    from safetensors import SafetensorError

    try:
        return load(path)
    except (SafetensorError, OSError) as error:
        reason = plain(" ".join(str(error)[:1000].split()))[:120]  # it may quote the whole header
        found = damage(path)
        why = f" ({reason.removeprefix(_HEADER)})" if found == "damaged" else ""
        raise InputError(f"{path}: {found}{why}; fetch or write it again") from None
