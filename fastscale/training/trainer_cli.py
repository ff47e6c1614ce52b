"""Lightning's command line for ImageClassifier and ImageData.

Settings that follow from the recipe, the arch or the data are linked to them.
"""

import sys
from functools import partial
from typing import Any

import yaml
from jsonargparse import ArgumentError
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fastscale.data.module import ImageData
from fastscale.errors import InputError
from fastscale.scaling import network_of
from fastscale.training.atomic_io import AtomicCheckpointIO
from fastscale.training.classifier import ImageClassifier
from fastscale.training.monitor import SpeedMonitor
from fastscale.training.options import check_arguments
from fastscale.training.parser_words import check_names, in_words
from fastscale.training.recipe import Recipe
from fastscale.training.scoring import ERROR_DIGITS, ERRORS

TRAINER_DEFAULTS = {
    "benchmark": True,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "enable_model_summary": False,
}


class TrainerCLI(LightningCLI):
    """Parses `--model.* --data.* --trainer.* --seed_everything --config` and builds the objects.

    The caller runs them. `builds` False: only parses. `evaluated`: the recipe of a checkpoint to
    evaluate, which no option may change.
    """

    def __init__(
        self,
        config: dict[str, Any],
        arguments: list[str],
        builds: bool = True,
        evaluated: Recipe | None = None,
    ):
        self.speed, self.builds, self.evaluated = SpeedMonitor(), builds, evaluated
        check_arguments(arguments)
        typed = sys.argv
        sys.argv = typed[:1]  # Lightning would warn of our own arguments there
        try:
            super().__init__(
                ImageClassifier,
                ImageData,
                run=False,
                args=["--config", yaml.safe_dump(config), *arguments],
                save_config_callback=None,
                seed_everything_default=0,
                trainer_defaults={
                    **TRAINER_DEFAULTS,
                    "enable_progress_bar": sys.stderr.isatty(),
                    "callbacks": [self.speed],
                },
                parser_kwargs={"exit_on_error": False, "prog": "fastscale", "default_env": False},
            )
        except ArgumentError as error:
            raise InputError(in_words(error)) from None
        except MisconfigurationException as error:  # of a logger or callback
            raise InputError(f"--trainer: {' '.join(str(error).split())}") from None
        finally:
            sys.argv = typed

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Links settings: the arch decides the resolution, the recipe batch and crops, the data
        the classes."""
        network = ("model.arch", "model.definition")
        for name in ("resolution", "test_resolution"):
            parser.link_arguments(
                network, f"data.{name}", compute_fn=partial(_of_the_network, name)
            )
        sizes = ("model.recipe.batch_size", "model.recipe.accumulate")
        parser.link_arguments(
            sizes, "data.batch_size", compute_fn=lambda batch, parts: batch // max(1, parts)
        )
        for name in ("crop_area", "flip", "limit_train", "augmentation"):
            parser.link_arguments(f"model.recipe.{name}", f"data.{name}")
        parser.link_arguments("model.recipe.epochs", "trainer.max_epochs")
        parser.link_arguments("model.recipe.accumulate", "trainer.accumulate_grad_batches")
        for room in ("model", "data"):
            parser.link_arguments("seed_everything", f"{room}.seed")
        for name in ("num_classes", "mean", "std"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Also checks the seed, which Lightning uses at once."""
        check_names(args, parser._option_string_actions)
        try:
            super().parse_arguments(parser, args)
        except InputError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            text = " ".join(str(error).split())  # of a configuration with a wrong shape
            raise InputError(f"the settings cannot be read ({text[:300]})") from None
        seed = self.config["seed_everything"]
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise InputError(
                f"--seed_everything must be a whole number from 0 to {2**32 - 1}, got {seed!r}"
            )

    def before_instantiate_classes(self) -> None:
        """Checks the recipe before the data are opened."""
        if self.builds:
            recipe = Recipe.from_dict(vars(self.config["model"]["recipe"]))
            if self.evaluated is not None:
                _check_unchanged(recipe, self.evaluated)

    def instantiate_classes(self) -> None:
        """Builds the objects, if that is wanted."""
        if self.builds:
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Does nothing yet: `trainer_for` makes the trainer when the run's folder is known."""
        # cuDNN's search for the fastest kernel would make runs differ
        self.trainer_arguments = (
            {**kwargs, "benchmark": False} if kwargs.get("deterministic") else kwargs
        )
        return None  # type: ignore[return-value]

    def saved_config(self) -> str:
        """All settings as YAML that `--config` takes."""
        return self.parser.dump(self.config)

    def trainer_for(self, **kwargs: Any) -> Trainer:
        """A Trainer with the parsed settings and `kwargs`; it leaves signals to its caller."""
        plugins = [
            *(self.config_init["trainer"].get("plugins") or []),
            *kwargs.pop("plugins", ()),
            AtomicCheckpointIO(),
        ]
        try:
            trainer = super().instantiate_trainer(
                **{**self.trainer_arguments, "plugins": plugins, **kwargs}
            )
        # for devices, strategies or combinations that do not exist
        except (MisconfigurationException, ValueError) as error:
            raise InputError(f"--trainer: {error}") from None
        signals: Any = trainer._signal_connector
        signals.register_signal_handlers = lambda: None
        return trainer


def final_errors(trainer: Trainer) -> dict[str, float]:
    """Errors in % of the trainer's last validation, rounded to `ERROR_DIGITS`."""
    return {
        k: round(float(trainer.callback_metrics[k]), ERROR_DIGITS)
        for k in ERRORS
        if k in trainer.callback_metrics
    }


def _check_unchanged(recipe: Recipe, own: Recipe) -> None:
    """InputError if options changed a setting that has no effect on an evaluation."""
    theirs = own.as_dict()
    for name, value in recipe.as_dict().items():
        if value != theirs[name] and name not in ("batch_size", "accumulate"):
            raise InputError(f"--model.recipe.{name} has no effect on an evaluation: leave it out")


def _of_the_network(what: str, name: str, definition: Any) -> Any:
    """An attribute of the network that the model is built for."""
    return getattr(network_of(name, definition), what)


def run_config(
    arch: str,
    recipe: Recipe,
    source: str | None = None,
    definition: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The configuration of a run."""
    defined = {"definition": definition} if definition else {}
    return {
        "model": {"arch": arch, "recipe": recipe.as_dict(), **defined},
        "data": {"source": source or recipe.data},
        "trainer": {"precision": recipe.precision},
    }
