"""Writes and reads training checkpoints: complete or absent, with a digest, never running code.

`last.ckpt.sha256` holds the digests of the last saves, newest first. It is written before the
checkpoint gets its name, so one of its lines matches the checkpoint whenever a process dies.
Reading does not import Lightning, which would take longer than a prediction.
"""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import nn

from fastscale.archs.names import canonical
from fastscale.common import check_zip, damage, read_text, whole_file, write_whole
from fastscale.errors import InputError
from fastscale.training.checkpoint_content import check_content

DIGESTS = 8  # kept beside a checkpoint: enough for several processes that die one after another


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Writes the checkpoint and its digest; the old ones stay until both are complete.

    OSError if the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        hashed = _Hashed(file)
        torch.save(content, cast(IO[bytes], hashed))
        if hashed.error is not None:
            raise hashed.error
        file.flush()
        _note_digest(path, hashed.sha256.hexdigest())


class _Hashed:
    """A file that is hashed as it is written.

    `write` never raises: torch's C++ writer would hide the error or end the process. It is kept in
    `error` instead.
    """

    def __init__(self, file: IO[bytes]):
        self.file, self.sha256 = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self.file.write(data)
                self.sha256.update(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Does nothing: torch calls it, and the file is flushed when it is complete."""


def digest_file(path: Path) -> Path:
    """The file that holds the digests of a checkpoint."""
    return path.with_name(path.name + ".sha256")


def _note_digest(path: Path, digest: str) -> None:
    before = _digests(path) or []
    if not before and path.is_file():  # saved by a version without digests
        with open(path, "rb") as file:
            before = [_digest_of(file)]
    kept = list(dict.fromkeys([digest, *before]))[:DIGESTS]
    write_whole(digest_file(path), "".join(line + "\n" for line in kept))


def _digests(path: Path) -> list[str] | None:
    """The digests beside a checkpoint; None if there is no such file."""
    with suppress(FileNotFoundError):
        return re.findall(r"^[0-9a-f]{64}$", read_text(digest_file(path), 4096), re.MULTILINE)
    return None


def _digest_of(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while block := file.read(1 << 20):
        found.update(block)
    file.seek(0)
    return found.hexdigest()


def checkpoint_path(path: str | os.PathLike) -> Path:
    """The checkpoint file of a run's folder, or the file itself; InputError if there is none."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"expected the path of a .ckpt file or of a run's folder, got {path!r}")
    path = Path(path)
    if path.is_dir():
        path = path / "last.ckpt"
    if not path.is_file():
        raise InputError(
            f"{path}: no such checkpoint; give a .ckpt file or a run's folder, "
            "as in runs/<run>/seed0"
        )
    return path


def read_checkpoint(path: str | os.PathLike, prove: bool = True) -> dict[str, Any]:
    """A training checkpoint's content on the CPU, without running any code from it.

    InputError if it is not one, or (with `prove`) does not match the digest beside it. Older
    checkpoints have no digest and are not checked.
    """
    path = checkpoint_path(path)
    for last in (False, False, True):  # a run that still trains may save while this reads
        digests = _digests(path) if prove else None
        with open(path, "rb") as file:
            if digests is None or _digest_of(file) in digests:
                content = _load(file, path)
                break
        if last:
            raise InputError(
                f"{path}: damaged, or not the file that was saved here: it does not match "
                f"{digest_file(path).name} beside it; restore the right file, or "
                "`fastscale fit ... --restart` trains the run from the start"
            )
    check_content(content, path)
    # names in an old spelling are brought into today's, to be compared with others
    for values, key in (
        (content["hyper_parameters"], "arch"),
        (content.get("trained_with"), "run"),
    ):
        if values and isinstance(values.get(key), str):
            values[key] = canonical(values[key])
    return content


def _load(file: IO[bytes], path: Path) -> Any:
    check_zip(path)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if code := re.search(r"Weights only load failed.* GLOBAL (\S+)", text):
            what = "a checkpoint holds weights and plain values only"
            raise InputError(
                f"{path}: refused: reading it would run code ({code[1]}), and {what}"
            ) from None
        raise InputError(
            f"{path}: {damage(path)}; give another checkpoint, or "
            "`fastscale fit ... --restart` trains the run from the start"
        ) from None


def load_weights(module: nn.Module, weights: dict[str, Any], where: str | os.PathLike) -> None:
    """Loads all weights; InputError if they belong to another network."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{where}: its weights are not those of the network it names ({reason})"
        ) from None
