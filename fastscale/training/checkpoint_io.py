"""Checkpoints that are whole or absent, with their digest beside; read without running code.

`last.ckpt.sha256` holds the digests of the last saves, newest first. It is written before the
checkpoint takes its name, so whenever a process dies, one of its lines is of the file beside.
"""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from fastscale.archs.names import canonical
from fastscale.common import check_zip, read_text, whole_file, write_whole
from fastscale.errors import InputError
from fastscale.training.recipe import Recipe

DIGESTS = 8  # kept beside a checkpoint: more than processes that die one after another
MOST_STEPS = 10**12
MOST_VALUES = 100_000  # of settings: a small file can name the same list a million times
# that weights and counters are kept in
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own writer goes through a temporary folder that may be on another disk, where a
    move is a copy that a kill can cut."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike,
        storage_options: Any | None = None,
    ) -> None:
        """`write_checkpoint`."""
        write_checkpoint(checkpoint, Path(path))


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Writes the checkpoint and its digest; until both are whole, those before stay. OSError where
    the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        hashed = _Hashed(file)
        torch.save(content, cast(IO[bytes], hashed))
        if hashed.error is not None:
            raise hashed.error
        file.flush()
        _note_digest(path, hashed.sha256.hexdigest())


class _Hashed:
    """A file that is hashed as it is written. `write` never raises: torch's writer is C++ and says
    something else, or ends the process. What went wrong is in `error`."""

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
        """Torch asks for it; the file is flushed when it is whole."""


def digest_file(path: Path) -> Path:
    """Where the digests of a checkpoint stand."""
    return path.with_name(path.name + ".sha256")


def _note_digest(path: Path, digest: str) -> None:
    before = _digests(path) or []
    if not before and path.is_file():  # saved before there were digests
        with open(path, "rb") as file:
            before = [_digest_of(file)]
    kept = list(dict.fromkeys([digest, *before]))[:DIGESTS]
    write_whole(digest_file(path), "".join(line + "\n" for line in kept))


def _digests(path: Path) -> list[str] | None:
    """The digests beside a checkpoint; None where there is no such file."""
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

    InputError if it is not one, or (with `prove`) does not match the digest beside it; a checkpoint
    without one is older and is taken as it is.
    """
    path = checkpoint_path(path)
    for last in (False, False, True):  # a run that goes on may save while this reads
        digests = _digests(path) if prove else None
        with open(path, "rb") as file:
            if digests is None or _digest_of(file) in digests:
                content = _load(file, path)
                break
        if last:
            raise InputError(
                f"{path}: damaged, or not the file that was saved here: it does not match "
                f"{digest_file(path).name} beside it; bring back the right one, or "
                "`fastscale fit ... --restart` begins the run anew"
            )
    check_content(content, path)
    # of an old spelling: the name that is compared with others
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
        reason = re.sub(
            r"Weights only load failed.*WeightsUnpickler error: | Check the documentation.*",
            "",
            text,
        )[:120]
        raise InputError(
            f"{path}: not a checkpoint that can be read safely, or cut short "
            f"({type(error).__name__}: {reason})"
        ) from None


def check_content(content: Any, where: str | os.PathLike) -> None:
    """InputError unless it has the fields of a run's checkpoint, of their types: what reads them
    need not look again."""
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if (
        not isinstance(settings, dict)
        or "state_dict" not in content
        or not {"arch", "recipe", "num_classes"} <= set(settings)
    ):
        raise InputError(
            f"{where}: not a checkpoint of `fastscale fit` (it names no arch and recipe)"
        )
    recipe, weights = settings["recipe"], content["state_dict"]
    rules = {
        "arch": (isinstance(settings["arch"], str), "a network's name"),
        "definition": (
            settings.get("definition") is None
            or (isinstance(settings["definition"], dict) and is_plain(settings["definition"])),
            "a network's definition",
        ),
        "num_classes": (is_whole(settings["num_classes"], 1, 1_000_000), "1 to 1,000,000"),
        "seed": (is_whole(settings.get("seed"), 0, 2**32 - 1), "a whole number below 2^32"),
        "mean": (is_channels(settings.get("mean")), "a number each of R, G, B, from 0 to 255"),
        "std": (
            is_channels(settings.get("std"), least=1e-3),
            "a number each of R, G, B, from 0.001 to 255",
        ),
        "recipe": (
            isinstance(recipe, dict) and "ema_rate" in recipe and is_plain(recipe),
            "settings by name",
        ),
        "epoch": (is_whole(content.get("epoch", 0), 0, MOST_STEPS), "a whole number"),
        "global_step": (is_whole(content.get("global_step", 0), 0, MOST_STEPS), "a whole number"),
        "state_dict": (
            isinstance(weights, dict) and all(type(name) is str for name in weights),
            "tensors by name",
        ),
        **_rules_of_origin(content),
    }
    for name, (holds, right) in rules.items():
        if not holds:
            raise InputError(f"{where}: damaged: its {name} should be {right}")
    for name, value in weights.items():
        if problem := flaw(value):
            raise InputError(f"{where}: {name!r} in its state_dict is {problem}")
    try:
        Recipe.from_dict(recipe, str(where))
    except InputError as error:  # of a value it names the recipe only
        said = str(error).removeprefix(f"{where}: ")
        raise InputError(f"{where}: {said}") from None


def _rules_of_origin(content: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Rules for what a checkpoint says of its run and its errors, all of which older ones lack."""
    own, errors = content.get("trained_with", {}), content.get("errors")
    rules = {"trained_with": (isinstance(own, dict) and is_plain(own), "settings by name")}
    own = own if isinstance(own, dict) else {}
    for name in ("loader", "source", "data", "data_hash", "run"):
        rules[name] = (isinstance(own.get(name), str | None), "a text")
    for name in ("stored", "trainer"):
        rules[name] = (isinstance(own.get(name), dict | None), "settings by name")
    rules["classes"] = (is_texts(own.get("classes")), "a list of names")
    rules["precision"] = (isinstance(own.get("precision"), str | int | None), "a text, as 16-mixed")
    rules["errors"] = (
        errors is None
        or (isinstance(errors, dict) and all(is_error(*item) for item in errors.items())),
        "errors from 0 to 100 % by name",
    )
    loss = content.get("train_loss", [0.0, 0.0])
    rules["train_loss"] = (
        isinstance(loss, list | tuple) and [type(v) for v in loss] == [float, float],
        "a mean and how many it is of",
    )
    rules["epoch_loss"] = (isinstance(content.get("epoch_loss"), float | None), "a number")
    return rules


def flaw(value: object) -> str:
    """What keeps a value from being a weight in memory, of a type that weights have; "" if nothing
    does. Its numbers are not looked at."""
    if not isinstance(value, Tensor):
        return f"no tensor but {type(value).__name__}"
    if value.is_nested or value.layout is not torch.strided or value.device.type != "cpu":
        return f"no ordinary tensor in memory ({value.layout}, {value.device})".replace(
            "torch.", ""
        )
    if value.dtype not in DTYPES:
        return f"of type {value.dtype}, wanted floats or int64".replace("torch.", "")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return "larger than what the file holds of it"
    return ""


def is_plain(value: object, depth: int = 4) -> bool:
    """Whether it is what a run's settings are made of: None, texts, finite numbers, lists of such,
    and such by name; at most 100,000 of them."""
    level, count = [value], 1
    for below in range(depth, -1, -1):
        inner: list[Any] = []
        for v in level:
            if below and isinstance(v, list | tuple | dict):
                if isinstance(v, dict) and not all(type(k) is str for k in v):
                    return False
                count += len(v)
                if count > MOST_VALUES:
                    return False
                inner += v.values() if isinstance(v, dict) else v
            elif v is not None and type(v) not in (str, bool) and not is_number(v):
                return False
        level = inner
    return True


def is_number(value: object, least: float = -1e12, most: float = 1e12) -> bool:
    """Whether it is a number of that range: so neither NaN, infinite, nor a whole number too large
    for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_whole(value: object, least: int, most: int) -> bool:
    """Whether it is a whole number of that range."""
    return type(value) is int and least <= value <= most


def is_error(name: object, value: object) -> bool:
    """Whether it is the name and value of an error in %."""
    return isinstance(name, str) and "_error" in name and is_number(value, 0, 100)


def is_channels(value: object, least: float = 0.0) -> bool:
    """Whether it is a mean (or with `least` above 0 a std) of R, G, B on the scale 0 to 255."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(is_number(v, least, 255) for v in value)
    )


def is_texts(value: object) -> bool:
    """Whether it is a list of texts, or None."""
    return value is None or (
        isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    )


def load_weights(module: nn.Module, weights: dict[str, Any], where: str | os.PathLike) -> None:
    """Loads them all; InputError if they are another network's."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{where}: its weights are not those of the network it names ({reason})"
        ) from None
