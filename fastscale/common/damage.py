"""Says in plain words why a file of weights cannot be read, from its first and last bytes."""

import json
import os
import zipfile


def damage(path: str | os.PathLike[str]) -> str:
    """What is wrong with a file that torch or safetensors could not read.

    `torch.save` writes a zip file, older versions of torch a pickle; safetensors begin with the
    length of a header in JSON.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(9)
        if not start:
            return "empty"
        if start.startswith(b"PK\x03\x04"):
            return _of_a_zip(path)
        if start[:1] == b"\x80":
            return "cut short, or not written by torch.save"
        length = int.from_bytes(start[:8], "little")
        if start[8:] != b"{" or length > 100_000_000:  # the most that safetensors reads
            return "not a file of weights"
        if 8 + length > size:
            return "cut short"
        file.seek(8)
        try:
            entries = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for key, entry in entries.items() if key[:2] != "__"]
            return "cut short" if max(ends, default=0) > size - 8 - length else "damaged"
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return "damaged"


def _of_a_zip(path: str | os.PathLike[str]) -> str:
    try:
        with zipfile.ZipFile(path) as file:
            names = {name.partition("/")[2] for name in file.namelist()}
    except zipfile.BadZipFile:
        return "cut short"
    # constants.pkl: a TorchScript program
    weights = "data.pkl" in names and "constants.pkl" not in names
    return "damaged" if weights else "not a file of weights"
