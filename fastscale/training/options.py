"""Checks the options of Lightning's command line before anything is started."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastscale.common import number, parse_yaml, read_yaml
from fastscale.errors import InputError

MOST_TEXT = 100_000  # characters of one argument
NOT_CONFIGS = (
    *("--data.source", "--data.data_dir", "--trainer.default_root_dir"),
    "--model.weights",
)
# options of Lightning that cannot be set here, and what decides them instead
LINKED = {
    "--trainer.max_epochs": "the recipe's --model.recipe.epochs",
    "--trainer.accumulate_grad_batches": "the recipe's --model.recipe.accumulate",
    **{
        f"--data.{name}": f"the recipe's --model.recipe.{name}"
        for name in ("batch_size", "crop_area", "flip", "limit_train", "augmentation")
    },
    **dict.fromkeys(
        ("--data.resolution", "--data.test_resolution"), "the network that --run names"
    ),
    **dict.fromkeys(("--data.seed", "--model.seed"), "--seed_everything"),
    "--optimizer": "the recipe's --model.recipe.lr, momentum and weight_decay",
    "--lr_scheduler": "the recipe's --model.recipe.schedule",
    **dict.fromkeys(
        ("--model.num_classes", "--model.mean", "--model.std"), "the data that --data.source names"
    ),
}
# options that affect the result: kept with the run's settings and in its checkpoint
DECISIVE = (
    "precision",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "deterministic",
    "sync_batchnorm",
    "callbacks",
)
# options that would skip a part of a run
HALF_RUNS = (
    "fast_dev_run",
    "limit_train_batches",
    "limit_val_batches",
    "overfit_batches",
    "max_steps",
    "max_time",
    "barebones",
)

HALF_EVALUATIONS = ("fast_dev_run", "limit_val_batches", "overfit_batches")


def check_arguments(arguments: Sequence[str]) -> None:
    """InputError for arguments that cannot be used.

    These are options that follow from others, on the command line or in a configuration file, and
    values or files that are too large or too deep: Lightning's YAML parser would end the process.
    """
    option = ""
    for argument in arguments:
        value = argument
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
            linked = (w for k, w in LINKED.items() if option == k or option.startswith(f"{k}."))
            if instead := next(linked, None):
                raise InputError(f"{option} follows from {instead}: use that instead")
            if not equals:
                continue
        if len(value) > MOST_TEXT:
            raise InputError(f"{option or value[:40]}: longer than {MOST_TEXT:,} characters")
        _check_value(option, value)


def value_of(option: str, arguments: Sequence[str]) -> str | None:
    """The last value of an option on the command line; None if it is not there.

    >>> value_of("--data.source", ["--data.source", "cifar10", "--data.loader=plain"])
    'cifar10'
    """
    found = None
    for k, argument in enumerate(arguments):
        if argument == option:
            found = arguments[k + 1] if k + 1 < len(arguments) else ""
        elif argument.startswith(f"{option}="):
            found = argument.partition("=")[2]
    return found


def _check_value(option: str, value: str) -> None:
    path = Path(value)
    try:
        is_file = option not in NOT_CONFIGS and path.exists() and not path.is_dir()
    except (OSError, ValueError):  # too long for a file name, or with a zero byte
        is_file = False
    if is_file:
        _check_linked(option, path)
    else:
        try:
            parse_yaml(value, option)
        except InputError as error:
            if "not YAML (" not in str(error) or "nested" in str(error) or "holds it" in str(error):
                raise  # too large or deep; the option itself judges other text that is not YAML


def _check_linked(option: str, path: Path) -> None:
    """InputError if `--config FILE`, or `--trainer FILE` for a part of it, sets such an option."""
    content = read_yaml(path)
    if option != "--config":
        for key in reversed(option.removeprefix("--").split(".")):
            content = {key: content}
    for linked, instead in LINKED.items():
        keys, found = linked.removeprefix("--").split("."), content
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is not None:
            name = ".".join(keys)
            raise InputError(f"{path}: {name} follows from {instead}: use that instead")


def check_values(trainer: Mapping[str, Any]) -> None:
    """InputError for a trainer option that cannot be meant.

    Lightning would accept it, or fail on it late.
    """
    for name, (holds, right) in RULES.items():
        value = trainer.get(name)
        if value is not None and not holds(value):
            raise InputError(f"--trainer.{name} must be {right}, got {value!r:.60}")


def check_evaluation(trainer: Mapping[str, Any]) -> None:
    """`check_values`, and InputError for an option that would leave out validation images."""
    check_values(trainer)
    if trainer.get("barebones"):
        raise InputError("--trainer.barebones would leave the evaluation without its result")
    for name in HALF_EVALUATIONS:
        value = trainer.get(name)
        off = value is None or value is False or (name == "overfit_batches" and value == 0)
        if not off and not (name == "limit_val_batches" and type(value) is float and value == 1):
            raise InputError(
                f"--trainer.{name} would leave images out, and the error would be of the others"
            )


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """`check_values`, and InputError for an option that would skip a part of a training run."""
    check_values(trainer)
    for name in HALF_RUNS:
        if trainer.get(name) not in (None, False, 0.0, -1):
            raise InputError(
                f"--trainer.{name} would skip a part of the run, and its record would not show "
                "that; --model.recipe.epochs and --model.recipe.limit_train make a run short"
            )
    if trainer.get("limit_val_batches") == 0:
        raise InputError("--trainer.limit_val_batches 0 would leave the run without its result")


def decisive(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """The options that affect the result, as plain values; those that are not set are left out."""
    found = {k: _as_plain(trainer.get(k)) for k in DECISIVE}
    if found["callbacks"]:
        found["callbacks"] = [json.dumps(c, sort_keys=True) for c in found["callbacks"]]
    return {k: v for k, v in found.items() if v}


def _as_plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        value = value.as_dict()
    if isinstance(value, Mapping):
        return {str(k): _as_plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_as_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _between(least: float, most: float, whole: bool = True) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return False
        try:
            number(value, least, most, whole)
        except ValueError:
            return False
        return True

    return holds


def _devices(value: Any) -> bool:
    if isinstance(value, str) and not value.lstrip("-").isdecimal():
        parts = [part.strip() for part in value.split(",")]
        return value == "auto" or all(part.isdecimal() for part in parts if part)
    if isinstance(value, list | tuple):
        return bool(value) and all(_between(0, 1024)(v) for v in value)
    return int(value) == -1 or 1 <= int(value) <= 1024


def _interval(value: Any) -> bool:
    """A share of an epoch, a number of batches, or a time."""
    if isinstance(value, str | timedelta | Mapping):
        return not isinstance(value, str) or value.count(":") == 3
    return 0 < value <= 1 if isinstance(value, float) else _between(1, 10**9)(value)


def _finite_or_zero(value: Any) -> bool:
    return not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1e12


def _strategy(value: Any) -> bool:
    """Whether each process holds the whole network, as a run's checkpoint does."""
    if isinstance(value, Mapping) or hasattr(value, "class_path"):
        value = _as_plain(value).get("class_path", "")
        return str(value).endswith(("DDPStrategy", "SingleDeviceStrategy"))
    return str(value) == "auto" or str(value).startswith("ddp")


def _accelerator(value: Any) -> bool:
    """Whether this machine has it."""
    from pytorch_lightning.accelerators import AcceleratorRegistry

    names = ("cuda", "mps") if value == "gpu" else (value,)
    known = AcceleratorRegistry.available_accelerators()
    found = [AcceleratorRegistry[name]["accelerator"] for name in names if name in known]
    return value == "auto" or any(each.is_available() for each in found)


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "strategy": (_strategy, "auto or ddp (a run's checkpoint holds the whole network)"),
    "accelerator": (_accelerator, "auto, cpu, or one that this machine has, such as gpu"),
    "devices": (_devices, "a number from 1, -1 or auto (all), or a list as 0,1"),
    "num_nodes": (_between(1, 100_000), "a whole number from 1"),
    "check_val_every_n_epoch": (_between(1, 10**9), "a whole number from 1"),
    "val_check_interval": (_interval, "above 0 to 1.0 of an epoch, batches from 1, or a time"),
    "log_every_n_steps": (_between(1, 10**9), "a whole number from 1"),
    "num_sanity_val_steps": (_between(-1, 10**9), "a whole number from -1"),
    "reload_dataloaders_every_n_epochs": (_between(0, 10**9), "a whole number from 0"),
    "min_epochs": (_between(0, 10**9), "a whole number from 0"),
    "min_steps": (_between(0, 10**12), "a whole number from 0"),
    "gradient_clip_val": (_finite_or_zero, "a finite number from 0 (0: no clipping)"),
    "gradient_clip_algorithm": (lambda v: v in ("norm", "value"), "norm or value"),
}
