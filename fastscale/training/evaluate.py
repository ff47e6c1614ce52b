"""`fastscale evaluate`: the errors of a checkpoint on a validation set, each image counted exactly once."""

import os

from fastscale.errors import InputError
from fastscale.training.checkpoint_io import load_weights, read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.fit import quiet
from fastscale.training.recipe import Recipe
from fastscale.training.trainer_cli import TrainerCLI, final_errors, run_config


def evaluate(checkpoint: str | os.PathLike, source: str | None, arguments: list[str]) -> dict[str, float]:
    """Errors in % of raw and averaged weights of a `.ckpt` file or a run's folder on the validation images of `source`.

    `source` None: what it was trained on. `arguments` are LightningCLI's. InputError for a file that is no run's checkpoint, or data with
    another number of classes.
    """
    quiet()
    content = read_checkpoint(checkpoint)
    settings = content["hyper_parameters"]
    recipe = Recipe.from_dict(settings["recipe"], str(checkpoint))
    own = content.get("trained_with", {})
    config = run_config(settings["arch"], recipe, source or own.get("source"))
    config["trainer"]["precision"] = own.get("precision", recipe.precision)
    if source is None:
        config["data"]["loader"] = own.get("loader", "auto")
    cli = TrainerCLI({**config, "seed_everything": settings["seed"]}, arguments)
    if cli.datamodule.num_classes != settings["num_classes"]:
        raise InputError(
            f"{checkpoint}: trained for {settings['num_classes']} classes, but {cli.datamodule.data_name} has {cli.datamodule.num_classes}"
        )
    module = ImageClassifier(**settings)  # with the normalisation that it was trained with
    load_weights(module, content["state_dict"], checkpoint)
    trainer = cli.trainer_for(logger=False, callbacks=[])
    trainer.validate(module, cli.datamodule, verbose=False)
    return final_errors(trainer)
