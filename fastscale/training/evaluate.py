"""`fastscale evaluate`: the errors of a checkpoint on a validation set, each image counted exactly once."""

import os
from collections.abc import Callable
from typing import Any

from fastscale.data.module import ImageData
from fastscale.errors import InputError
from fastscale.training.checkpoint_io import load_weights, read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.fit import quiet
from fastscale.training.recipe import Recipe
from fastscale.training.trainer_cli import TrainerCLI, final_errors, run_config


def evaluate(
    checkpoint: str | os.PathLike, source: str | None, arguments: list[str]
) -> dict[str, float]:
    """Errors in % of raw and averaged weights of a `.ckpt` file or a run's folder on the validation images of `source`.

    `source` None: what it was trained on. `arguments` are LightningCLI's. InputError for a file that is no run's checkpoint, or data with
    another number of classes.
    """
    content = read_checkpoint(checkpoint)
    own = content.get("trained_with", {})
    return errors_of(
        content["hyper_parameters"], content["state_dict"], own, source, arguments, checkpoint
    )


def errors_of(
    settings: dict[str, Any],
    state_dict: dict[str, Any],
    own: dict[str, Any],
    source: str | None,
    arguments: list[str],
    where: str | os.PathLike,
    prepare: Callable[[ImageData], object] = lambda data: None,
) -> dict[str, float]:
    """Errors in % of `ImageClassifier(**settings)` with these weights; `own`: source, loader and precision that it was trained with.

    `prepare` sees the data before it is used: to check it, or to set `val_indices`.
    """
    quiet()
    recipe = Recipe.from_dict(settings["recipe"], str(where))
    config = run_config(settings["arch"], recipe, source or own.get("source"))
    config["trainer"]["precision"] = own.get("precision") or recipe.precision
    if source is None:
        config["data"]["loader"] = own.get("loader") or "auto"
    cli = TrainerCLI({**config, "seed_everything": settings["seed"]}, arguments)
    if cli.datamodule.num_classes != settings["num_classes"]:
        raise InputError(
            f"{where}: trained for {settings['num_classes']} classes, but {cli.datamodule.data_name} has {cli.datamodule.num_classes}"
        )
    prepare(cli.datamodule)
    module = ImageClassifier(**settings)  # with the normalisation that it was trained with
    load_weights(module, state_dict, where)
    trainer = cli.trainer_for(logger=False, callbacks=[])
    trainer.validate(module, cli.datamodule, verbose=False)
    return final_errors(trainer)
