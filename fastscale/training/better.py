"""Raw or averaged (EMA) weights: the rule that chooses, and a line when the choice matters."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastscale.common import read_text, say_once
from fastscale.errors import InputError
from fastscale.records import Record

CHOICES = ("auto", "raw", "ema")  # of `--weights` and `weights=`
ENDING = {"raw": "", "ema": "_ema"}  # of the names of errors
WORDS = {"raw": "raw", "ema": "averaged"}
APART = 1.0  # percentage points of top-1 error: a larger difference is reported on stderr


def better_weights(errors: Mapping[str, float] | None, averaged: bool) -> str:
    """ "raw" or "ema": the weights with the lower `top1_error` or `top1_error_ema`, in %.

    With equal errors, or none recorded, the averaged ones. `averaged`: whether there are any.

    >>> better_weights({"top1_error": 0.0, "top1_error_ema": 66.67}, True)
    'raw'
    """
    raw, ema = ((errors or {}).get(f"top1_error{ENDING[k]}") for k in ("raw", "ema"))
    if not averaged or (raw is not None and ema is not None and raw < ema):
        return "raw"
    return "ema"


def choose_weights(
    weights: str, errors: Mapping[str, float] | None, averaged: bool, where: object
) -> str:
    """ "raw" or "ema" for a choice of `auto`, `raw` or `ema`.

    If the two differ by more than a point, stderr says once which ones `auto` uses. InputError for
    another choice, and for `ema` if there are no averaged weights.
    """
    check_choice(weights)
    if weights == "ema" and not averaged:
        raise InputError(f"{where}: has no averaged weights (its recipe's ema_rate is 0)")
    taken = better_weights(errors, averaged) if weights == "auto" else weights
    if averaged and weights == "auto":
        say_apart(errors, taken, where)
    return taken


def check_choice(weights: object) -> None:
    """InputError unless it is auto, raw or ema."""
    if weights not in CHOICES:
        raise InputError(f"weights {str(weights)[:40]!r}: choose one of {', '.join(CHOICES)}")


def say_apart(errors: Mapping[str, float] | None, taken: str, where: object) -> None:
    """Prints a line on stderr if raw and averaged weights differ by more than a point."""
    raw, ema = ((errors or {}).get(f"top1_error{s}") for s in ENDING.values())
    if raw is None or ema is None or abs(raw - ema) <= APART:
        return
    other = "raw" if taken == "ema" else "ema"
    say_once(
        f"{where}: top-1 error {raw:.2f} % with raw weights, {ema:.2f} % with averaged ones: "
        f"the {WORDS[taken]} ones are used (--weights {other} for the others)",
        error=True,
    )


def recorded_errors(content: Mapping[str, Any], path: str | Path) -> dict[str, float] | None:
    """The validation errors in % of a training checkpoint's weights; None if they are unknown.

    They come from `record_beside`, else from the checkpoint itself.
    """
    if (record := record_beside(content, path)) is not None:
        return record.values
    said = content.get("errors")
    if not isinstance(said, dict):
        return None
    return {k: float(v) for k, v in said.items() if isinstance(v, int | float)} or None


def record_beside(content: Mapping[str, Any], path: str | os.PathLike[str]) -> Record | None:
    """The record.json beside a training checkpoint, if it belongs to the same run and epoch."""
    path = Path(path)
    try:
        file = (path if path.is_dir() else path.parent) / "record.json"
        record = Record.from_json(read_text(file))
    except (InputError, OSError):
        return None  # the user asked for the checkpoint: a missing or damaged record is no error
    return record if _same_run(record, content) else None


def _same_run(record: Record, content: Mapping[str, Any]) -> bool:
    settings = content["hyper_parameters"]
    return (record.arch, record.num_classes, record.seed, record.epochs) == (
        settings["arch"],
        settings["num_classes"],
        settings["seed"],
        epochs_made(content, record),
    )


def epochs_made(content: Mapping[str, Any], record: Record) -> int:
    """The complete epochs behind a checkpoint, as `record` counts them.

    For a run that ended early within an epoch, the record's step identifies the checkpoint.
    """
    if record.early and record.env.get("steps") == content.get("global_step"):
        return record.epochs or 0
    return int(content.get("epoch", -1)) + 1
