"""Checks whether a checkpoint belongs to a run, and whether training can resume from it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastscale.errors import InputError
from fastscale.models.finite import not_finite
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.optimizer import parameter_groups, sgd
from fastscale.training.recipe import Recipe
from fastscale.training.values import is_number, is_whole

HOW = "give --restart to train this run from the start, or restore its own file"


def checkpoint_of(
    path: Path, module: ImageClassifier, same_data: Callable[[str | None], bool]
) -> dict[str, Any] | None:
    """The content of the run's checkpoint; None if there is none yet.

    InputError if it belongs to another run (and what differs), is damaged, or holds numbers that
    are not finite. Fields that an older checkpoint lacks are not compared.
    """
    if not path.exists():
        return None
    try:
        content = read_checkpoint(path, prove=False)
    except InputError as error:
        raise InputError(f"{error}; {HOW}") from None
    if found := differences_to(content, module, same_data):
        raise InputError(f"{path}: the checkpoint of another run ({'; '.join(found[:6])}): {HOW}")
    content = read_checkpoint(path)
    if name := not_finite(content["state_dict"]):
        raise InputError(f"{path}: {name} is not finite: {HOW}")
    return content


def differences_to(
    content: Mapping[str, Any], module: ImageClassifier, same_data: Callable[[str | None], bool]
) -> list[str]:
    """What differs between the run of a checkpoint and that of `module`, in words."""
    there, here = content["hyper_parameters"], module.settings
    found = [
        f"{name} {there[name]}, not {here[name]}"
        for name in ("arch", "seed", "num_classes")
        if there.get(name) != here[name]
    ]
    if there.get("definition") != here.get("definition"):
        found.append("another definition of the network")
    recipe = Recipe.from_dict(there["recipe"])
    found += [
        f"recipe.{f.name} {getattr(recipe, f.name)}, not {getattr(module.recipe, f.name)}"
        for f in fields(Recipe)
        if getattr(recipe, f.name) != getattr(module.recipe, f.name)
    ]
    for name in ("mean", "std"):
        if list(there[name]) != list(here[name]):
            found.append(f"other {name} of the images")
    return found + _other_origin(content.get("trained_with", {}), module.trained_with, same_data)


def _other_origin(
    there: Mapping[str, Any], here: Mapping[str, Any], same_data: Callable[[str | None], bool]
) -> list[str]:
    found = [
        f"{name} {there[name]}, not {here[name]}"
        for name in ("run", "data", "loader", "precision")
        if there.get(name) is not None and there[name] != here[name]
    ]
    if there.get("data_hash") is not None and not same_data(there["data_hash"]):
        found.append("other images, labels or classes")
    if there.get("stored") is not None and there["stored"] != here["stored"]:
        found.append(f"images stored as {there['stored']}, not {here['stored']}")
    if there.get("trainer") is not None:
        before, now = there["trainer"], here["trainer"]
        found += [
            f"trainer.{k} {before.get(k)}, not {now.get(k)}"
            for k in sorted({*before, *now})
            if before.get(k) != now.get(k)
        ]
    return found


def check_progress(
    content: Mapping[str, Any], module: ImageClassifier, loops: Mapping[str, Any], path: Path
) -> None:
    """InputError unless training can resume from `content`.

    Its states of loops, optimizer and schedule must be complete and fit `module` and its recipe.
    `loops`: the state of a new trainer's fit loop, whose shape is the right one.
    """
    found = content.get("loops")
    there = found.get("fit_loop") if isinstance(found, dict) else None
    problem = (
        "it does not say how far training was"
        if not isinstance(there, dict)
        else _other_shape(there, loops)
        or _steps(content, there)
        or _optimizer(content.get("optimizer_states"), module)
        or _schedule(content.get("lr_schedulers"), module)
        or ("" if isinstance(content.get("callbacks", {}), dict) else "its callbacks are garbage")
    )
    if problem:
        raise InputError(f"{path}: damaged: {problem}: {HOW}")


def check_steps(content: Mapping[str, Any], steps: int, path: Path) -> None:
    """InputError if the checkpoint counts more steps than its run has."""
    if content["global_step"] > steps:
        raise InputError(
            f"{path}: damaged: it is of step {content['global_step']}, and this run has {steps} "
            f"steps: {HOW}"
        )


def _other_shape(there: Any, right: Any, where: str = "loops") -> str:
    """What is missing or wrong in the state of a loop; "" if nothing is."""
    if isinstance(right, dict):
        if not isinstance(there, dict):
            return f"its {where} are garbage"
        for name, value in right.items():
            if name not in there:
                return f"its {where} lack {name}"
            if problem := _other_shape(there[name], value, f"{where}.{name}"):
                return problem
        return ""
    if isinstance(right, bool):
        return "" if isinstance(there, bool) else f"its {where} is {there!r:.40}"
    if isinstance(right, int):
        return "" if is_whole(there, 0, 10**12) else f"its {where} is {there!r:.40}"
    return ""


def _steps(content: Mapping[str, Any], loops: Mapping[str, Any]) -> str:
    optimizer = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
    made, step = optimizer["step"]["total"]["completed"], content.get("global_step")
    return "" if made == step else f"it is of step {step}, and its loops made {made} steps"


def _optimizer(states: Any, module: ImageClassifier) -> str:
    if not isinstance(states, list) or len(states) != 1 or not isinstance(states[0], dict):
        return "it has no optimizer's state"
    right = sgd(module.net, module.recipe, 0.0).state_dict()["param_groups"]
    groups, kept = states[0].get("param_groups"), states[0].get("state")
    if not isinstance(groups, list) or not isinstance(kept, dict) or len(groups) != len(right):
        return "its optimizer's state is garbage"
    for group, wanted in zip(groups, right, strict=True):
        if not isinstance(group, dict) or group.get("params") != wanted["params"]:
            return "its optimizer's state is of other parameters"
        numbers = [group.get(k) for k in ("lr", "momentum", "weight_decay")]
        if not all(is_number(v, 0, 1e30) for v in numbers):
            return "its optimizer's settings are no numbers"
    shapes = [p.shape for p in _in_groups(module.net, module.recipe)]
    for number, state in kept.items():
        value = state.get("momentum_buffer") if isinstance(state, dict) else state
        if not is_whole(number, 0, len(shapes) - 1) or not isinstance(value, Tensor | None):
            return "its optimizer's state is garbage"
        if value is not None and value.shape != shapes[number]:
            return "its optimizer's momentum is of other parameters"
    values = {
        str(k): v["momentum_buffer"]
        for k, v in kept.items()
        if v.get("momentum_buffer") is not None
    }
    return "" if not_finite(values) is None else "its optimizer's momentum is not finite"


def _in_groups(net: nn.Module, recipe: Recipe) -> list[torch.nn.Parameter]:
    return [p for group in parameter_groups(net, recipe, 0.0) for p in group["params"]]


def _schedule(states: Any, module: ImageClassifier) -> str:
    if not isinstance(states, list) or len(states) != 1 or not isinstance(states[0], dict):
        return "it has no schedule's state"
    first = [group["lr"] for group in parameter_groups(module.net, module.recipe, 0.0)]
    if states[0].get("base_lrs") != first or not is_whole(states[0].get("last_epoch"), 0, 10**12):
        return f"its schedule does not begin at the learning rate {first[0]:g}"
    return ""
