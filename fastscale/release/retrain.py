"""The further arguments of the training command on a released network's card."""

import json
from pathlib import Path
from typing import Any

from fastscale.common import read_json
from fastscale.data.sources import SOURCES
from fastscale.errors import InputError
from fastscale.records import Record
from fastscale.training.recipe import load_recipe

# recipe settings that do not affect training, or that are trainer arguments
OMITTED = ("name", "data", "precision", "initial")
TRAINER = ("gradient_clip_val", "gradient_clip_algorithm", "deterministic", "sync_batchnorm")


def further_arguments(record: Record, content: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The user's network, the data, every override of the recipe, and relevant trainer settings.

    `content`: of the run's checkpoint; `folder`: the run's, with its settings.json if it exists. A
    folder of this machine becomes PATH, and the file of the user's network FILE.
    """
    trained, recipe = content.get("trained_with", {}), content["hyper_parameters"]["recipe"]
    try:
        usual = plain_values(load_recipe(record.recipe or "").as_dict())
    except InputError:  # the user's recipe: list all of it
        usual = {}
    out = ["--arch", "FILE"] if record.definition is not None else []
    out += _data(trained.get("source") or record.data or "", usual.get("data"))
    for name, value in sorted(plain_values(recipe).items()):
        if name not in OMITTED and (name not in usual or value != usual[name]):
            text = value if isinstance(value, str) else json.dumps(value)
            out += [f"--model.recipe.{name}", text]
    if ancestry := trained.get("ancestry"):
        out += ["--weights", ancestry.get("name", "PATH")]
    precision = trained.get("precision") or record.env.get("precision")
    if precision is not None and str(precision) != usual.get("precision"):
        out += ["--trainer.precision", str(precision)]
    settings = _settings(folder)
    for name in TRAINER:
        if settings.get(name) not in (None, False):
            out += [f"--trainer.{name}", str(settings[name]).lower()]
    if isinstance(devices := record.env.get("devices"), int) and devices > 1:
        out += ["--trainer.devices", str(devices)]
    return tuple(out)


def _data(source: str, usual: Any) -> list[str]:
    kind, _, path = source.partition(":")
    if source == usual and source in SOURCES:
        return []
    if not path and kind in SOURCES:
        return ["--data.source", kind]
    return ["--data.source", f"{kind if kind in SOURCES else 'folder'}:PATH"]


def plain_values(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings as in JSON: lists for tuples."""
    return dict(json.loads(json.dumps(settings)))


def _settings(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / "settings.json")
    except (InputError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
