"""safetensors files that are the same bytes every time, and are checked in full before a tensor is made of them.

The format: 8 bytes little-endian length of the header; the header, JSON, `{"__metadata__": {text: text}, name: {dtype, shape,
data_offsets}}`; the tensors' bytes. The safetensors package reads what is written here; its own writer puts the metadata in the order of a
hash table, so that equal content has several hashes. The reader refuses before memory is asked for, and says what is wrong.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastscale.common import parse_json
from fastscale.data.download import file_hash
from fastscale.errors import InputError

DTYPES = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64}
CODES = {dtype: code for code, dtype in DTYPES.items()}
HEADER_LIMIT = 16 << 20  # bytes; a network of 10,000 tensors has a header of 1 MB
ALIGN = 8


@dataclass(frozen=True)
class Place:
    """A tensor as the header gives it: `start`, `stop` are bytes after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


Expect = Callable[[dict[str, str], dict[str, Place], str], object]


@dataclass(frozen=True)
class SafeFile:
    """A checked file in memory."""

    where: str
    sha256: str
    metadata: dict[str, str]
    places: dict[str, Place]
    body: memoryview

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor in memory of its own."""
        out = {}
        for name, place in self.places.items():
            flat = torch.empty(math.prod(place.shape), dtype=DTYPES[place.dtype])
            if flat.numel():
                flat.view(torch.uint8).numpy()[:] = memoryview(self.body[place.start : place.stop])
            out[name] = flat.reshape(place.shape)
        return out


def pack(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """The file's bytes: tensors by name, equal content in equal bytes."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts, at = [], 0
    # the wider types first, so that every tensor starts at a multiple of its element's size
    for name in sorted(tensors, key=lambda n: (-tensors[n].element_size(), n)):
        tensor = (
            tensors[name].detach().to("cpu", memory_format=torch.contiguous_format).contiguous()
        )
        data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % ALIGN)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def read(
    path: str | os.PathLike, sha256: str | None = None, expect: Expect | None = None
) -> SafeFile:
    """The file at `path`: its hash first, if one is wanted, then its header, then `expect(metadata, places, where)`, then the tensors.

    So memory is asked for only when the header fits the file and the network. InputError in one line for anything that is not right.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if sha256 is not None and (digest := file_hash(path)) != sha256:
        raise InputError(
            f"{path}: its sha256 is {digest}, wanted {sha256}: not the released file; delete it and load again"
        )
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        check_length(length, size, path)
        start += file.read(length)
        metadata, places = parse_header(start[8:], size - 8 - length, str(path))
        if expect is not None:
            expect(metadata, places, str(path))
        data = start + file.read(size - len(start))
    found = parse(data, str(path))
    if sha256 is not None and found.sha256 != sha256:
        raise InputError(f"{path}: was changed while it was read")
    return found


def check_length(length: int, size: int, where: object) -> None:
    """InputError unless a file of `size` bytes can have a header of `length` bytes."""
    if size < 8 + 2 or length > size - 8:
        raise InputError(
            f"{where}: not a safetensors file, or cut short (its header would be {length} bytes, the file has {size})"
        )
    if length > HEADER_LIMIT:
        raise InputError(
            f"{where}: its header is {length} bytes; more than {HEADER_LIMIT} is no network's"
        )


def parse(data: bytes, where: str) -> SafeFile:
    """A whole file's bytes."""
    length = int.from_bytes(data[:8], "little")
    check_length(length, len(data), where)
    metadata, places = parse_header(data[8 : 8 + length], len(data) - 8 - length, where)
    return SafeFile(
        where, hashlib.sha256(data).hexdigest(), metadata, places, memoryview(data)[8 + length :]
    )


def parse_header(text: bytes, rest: int, where: str) -> tuple[dict[str, str], dict[str, Place]]:
    """(metadata, places) of a header; every claim in it is checked against the `rest` bytes that follow it."""
    try:
        header = parse_json(text.decode("utf-8"), "it")
    except ValueError as error:  # InputError is one, and so is text that is not UTF-8
        reason = str(error).removeprefix("it: not JSON ").strip("()")
        if reason == "nested too deeply":
            raise InputError(f"{where}: its header is nested too deeply") from None
        raise InputError(f"{where}: its header is not usable JSON ({reason[:120]})") from None
    if not isinstance(header, dict):
        raise InputError(f"{where}: its header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise InputError(f"{where}: __metadata__ must hold texts only")
    places = {name: place(name, entry, where) for name, entry in header.items()}
    at = 0
    for name, found in sorted(places.items(), key=lambda item: (item[1].start, item[1].stop)):
        if found.start != at:
            raise InputError(
                f"{where}: tensor {name!r} starts at byte {found.start}, wanted {at}: tensors overlap or leave a gap"
            )
        at = found.stop
    if at != rest:
        raise InputError(
            f"{where}: its tensors take {at} bytes, the file has {rest} for them: cut short, or with something appended"
        )
    return metadata, places


def place(name: str, entry: Any, where: str) -> Place:
    """One tensor's entry of the header, its size in bytes equal to what dtype and shape need."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{where}: tensor {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise InputError(
            f"{where}: tensor {name!r} is of type {dtype!r}; a checkpoint holds {', '.join(DTYPES)}"
        )
    numbers = (
        isinstance(shape, list)
        and len(shape) <= 8
        and isinstance(offsets, list)
        and len(offsets) == 2
    )
    if not numbers or not all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in [*shape, *offsets]
    ):
        raise InputError(
            f"{where}: tensor {name!r}: shape and data_offsets must be whole numbers of at least 0"
        )
    start, stop = offsets
    wanted = (
        math.prod(shape) * DTYPES[dtype].itemsize
    )  # Python's whole numbers: no overflow to trick
    if stop - start != wanted:
        raise InputError(
            f"{where}: tensor {name!r} of shape {shape} needs {wanted:,} bytes, its place in the file has {stop - start:,}"
        )
    return Place(dtype, tuple(shape), start, stop)
