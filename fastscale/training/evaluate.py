"""`fastscale evaluate`: the errors of a checkpoint on a validation set, each image counted once."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from fastscale.common import say_once
from fastscale.counts import complexity
from fastscale.data.first_write import keep_split
from fastscale.data.module import ImageData
from fastscale.errors import InputError
from fastscale.models.finite import not_finite
from fastscale.scaling import network_of
from fastscale.training.better import (
    ENDING,
    better_weights,
    check_choice,
    choose_weights,
    record_beside,
    recorded_errors,
    say_apart,
)
from fastscale.training.checkpoint_io import load_weights, read_checkpoint
from fastscale.training.classes import match_classes
from fastscale.training.classifier import ImageClassifier
from fastscale.training.options import check_evaluation, value_of
from fastscale.training.processes import end_with_parent, lost_process_reported, named_as_parent
from fastscale.training.recipe import Recipe
from fastscale.training.speaking import quiet
from fastscale.training.trainer_cli import TrainerCLI, final_errors, run_config


class ByName(ImageClassifier):
    """An ImageClassifier for a data set whose labels differ from the checkpoint's outputs.

    `outputs` (labels,) int64: the output of each label.
    """

    outputs: Tensor

    def __init__(self, outputs: tuple[int, ...], **settings: Any):
        super().__init__(**settings)
        self.register_buffer("outputs", torch.tensor(outputs), persistent=False)

    def on_after_batch_transfer(
        self, batch: tuple[Tensor, Tensor], dataloader_idx: int
    ) -> tuple[Tensor, Tensor]:
        """As in training, with each label replaced by its output."""
        images, labels = super().on_after_batch_transfer(batch, dataloader_idx)
        return images, self.outputs[labels]


def evaluate(
    checkpoint: str | os.PathLike, source: str | None, arguments: list[str], weights: str = "auto"
) -> dict[str, float]:
    """Errors in % of a `.ckpt` file or a run's folder on the validation images of `source`.

    `source` None: the data that it was trained on. `weights`: raw, ema, or auto (all it has).
    `arguments`: LightningCLI's. InputError for a file that is no run's checkpoint, or for classes
    that it does not know. A line on stderr says if the data are not those of its training.
    """
    check_choice(weights)
    content = read_checkpoint(checkpoint)
    settings, own = content["hyper_parameters"], content.get("trained_with", {})
    if "data_hash" not in own and (record := record_beside(content, checkpoint)) is not None:
        own = {**own, "data": record.data, "data_hash": record.data_hash}
    averaged = bool(settings["recipe"]["ema_rate"])
    if weights != "auto":
        choose_weights(weights, None, averaged, checkpoint)
    errors = errors_of(
        settings,
        content["state_dict"],
        own,
        source,
        arguments,
        checkpoint,
        lambda data: say_other_data(own, data, checkpoint),
    )
    if weights == "auto":
        # the weights that `predict` and others use do not depend on the data of this evaluation
        recorded = recorded_errors(content, Path(checkpoint))
        say_apart(recorded or errors, better_weights(recorded, averaged), checkpoint)
        return errors
    ending = ENDING[weights]
    return {k: v for k, v in errors.items() if k.removesuffix("_ema") + ending == k}


def errors_of(
    settings: dict[str, Any],
    state_dict: dict[str, Any],
    own: dict[str, Any],
    source: str | None,
    arguments: list[str],
    where: str | os.PathLike,
    prepare: Callable[[ImageData], object] = lambda data: None,
) -> dict[str, float]:
    """Errors in % of `ImageClassifier(**settings)` with the weights of `state_dict`.

    `own`: source, classes, loader and precision of its training. `prepare` is called with the data
    before they are used, to check them or to set `val_indices`. Classes are matched by name.
    """
    end_with_parent()
    quiet()
    if name := not_finite(state_dict):
        raise InputError(f"{where}: {name!r} holds NaN or infinity: not a trained network")
    defined = settings.get("definition")
    arch = network_of(settings["arch"], defined, f"{where}: its definition")
    classes = settings["num_classes"]
    learned = sum(v.numel() for k, v in state_dict.items() if _learned(k))
    if learned != (params := complexity(arch, num_classes=classes).params):
        # checked before it is built: a file of a few bytes can name a network of any size
        raise InputError(
            f"{where}: holds {learned:,} parameters, {arch.name} with {classes} classes has "
            f"{params:,}: its weights are not those of the network it names"
        )
    recipe = Recipe.from_dict(settings["recipe"], str(where))
    config = run_config(settings["arch"], recipe, source or own.get("source"), defined)
    config["trainer"]["precision"] = own.get("precision") or recipe.precision
    if source is None:
        loader = own.get("loader") or "auto"
        # both show the same validation pixels, and resident images must fit into memory
        config["data"]["loader"] = "ffcv" if loader == "resident" else loader
        with suppress(InputError):  # opening the images reports what is wrong with them
            keep_split(config["data"]["source"], value_of("--data.data_dir", arguments))
    config["data"]["only_val"] = True
    config["seed_everything"] = settings["seed"]
    cli = TrainerCLI(config, arguments, evaluated=recipe)
    check_evaluation(cli.config["trainer"])
    if (other := cast(ImageClassifier, cli.model).arch.name) != arch.name:
        raise InputError(f"{where}: of {arch.name}, --model.arch says {other}: leave it out")
    data = cli.datamodule
    outputs, line = match_classes(
        own.get("classes"), settings["num_classes"], data.classes, where, data.data_name
    )
    if line:
        say_once(line, error=True)
    prepare(data)
    module = ByName(outputs, **settings)  # with the normalisation that it was trained with
    load_weights(module, state_dict, where)
    trainer = cli.trainer_for(logger=False, callbacks=[])
    with named_as_parent(), lost_process_reported(lambda: "the same command evaluates again"):
        trainer.validate(module, data, verbose=False)
    return final_errors(trainer)


def _learned(name: str) -> bool:
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return name.startswith("net.") and not name.endswith(statistics)


def say_other_data(own: Mapping[str, Any], data: ImageData, where: object) -> None:
    """Prints a line on stderr if the data, or how they are stored, differ from those of `own`."""
    if not data.same_data(own.get("data_hash")):
        then = f" ({own['data']})" if own.get("data") else ""
        say_once(
            f"{where}: evaluated on {data.data_name}: images, labels or stored form differ from "
            f"those it was trained on{then}",
            error=True,
        )
    elif "stored" in own and (own["stored"] or {}) != data.stored:
        say_once(
            f"{where}: evaluated on {data.data_name} stored {_form(data.stored)}; "
            f"it was trained on images stored {_form(own['stored'] or {})}",
            error=True,
        )


def _form(stored: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in stored.items()) or "as they are"
