"""`fastscale fit`: one run, from its name to its record; an interrupted run resumes by itself."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ProgressBar

from fastscale.archs.names import NetworkName, RunName, network_and_recipe
from fastscale.common import write_whole
from fastscale.data.first_write import write_first
from fastscale.data.module import ImageData
from fastscale.data.sources import source as find_source
from fastscale.errors import InputError
from fastscale.records import Record, RecordStore
from fastscale.scaling import arch_named, network_of, own_definition
from fastscale.training.bar import Bar
from fastscale.training.board import board
from fastscale.training.by_size import PLACEHOLDER, SCRATCH, for_device, recipe_of_data
from fastscale.training.ending import in_one_line
from fastscale.training.lines import Lines, beginning
from fastscale.training.memory import keep_freed_memory
from fastscale.training.monitor import BoardExtras
from fastscale.training.options import check_arguments, check_trainer, decisive, value_of
from fastscale.training.outcome import make_record, measure
from fastscale.training.processes import (
    check_processes,
    end_with_parent,
    lost_process_reported,
    named_as_parent,
    own_cluster,
)
from fastscale.training.recipe import Recipe, load_recipe
from fastscale.training.resuming import check_progress, check_steps, checkpoint_of
from fastscale.training.run_checkpoint import RunCheckpoint, kept
from fastscale.training.runs import RunFolder
from fastscale.training.speaking import one_speaks, quiet, speaks, tell
from fastscale.training.starting import Opener, check_body, check_start
from fastscale.training.step_loop import StepLoop
from fastscale.training.stopping import Stopped, Stopping
from fastscale.training.trainer_cli import TrainerCLI, run_config

CHECKPOINT_EVERY = 60.0  # seconds between two checkpoints within an epoch (see RunCheckpoint)


def fit(
    run: str | None,
    arguments: list[str],
    runs_dir: str = "runs",
    restart: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
    cuda_graph: str = "auto",
    opener: Opener | None = None,
) -> Record:
    """Trains `run` (or what `--config` in `arguments` says) and returns its record.

    A finished run is not trained again. `arguments`: LightningCLI's. `checkpoint_every`: seconds
    (see RunCheckpoint). `cuda_graph`: auto, on or off (see StepLoop); not part of the run's
    identity. `opener`: finds the weights that `--model.weights` names.

    InputError for an unusable name, setting or data set, or a folder that holds another run.
    RunError for a run that failed. SystemExit with 128 plus the number of the signal that ended it
    (130: Ctrl-C), after all is saved.
    """
    stopping = Stopping()
    with one_speaks(), stopping.listening():
        try:
            end_with_parent()
            quiet()
            made = _Run(run, arguments, runs_dir, stopping, restart, cuda_graph, opener)
            return made.fit(checkpoint_every)
        except Stopped as stop:
            if speaks():
                print(stopping.line, file=sys.stderr, flush=True)
            raise SystemExit(stop.code) from None


class _Run:
    """A run whose name, settings and data have been checked."""

    def __init__(
        self,
        run: str | None,
        arguments: list[str],
        runs_dir: str,
        stopping: Stopping,
        restart: bool = False,
        cuda_graph: str = "auto",
        opener: Opener | None = None,
    ) -> None:
        self.stopping, self.restart, self.first = stopping, restart, speaks()
        self.cuda_graph = cuda_graph
        self.begun = False  # whether an earlier process began it, with or without a checkpoint
        self._check_names(run, arguments, opener)
        _write_first(arguments)
        config = _config(run, arguments)
        self.cli = TrainerCLI(config, arguments)
        self.module, self.data = self.cli.model, self.cli.datamodule
        self.options = self.cli.config["trainer"]
        arch, recipe = self.module.arch.name, self.module.recipe
        name = RunName(NetworkName.parse(arch, known=False), recipe.name)
        if run is not None:
            network, named = network_and_recipe(run)
            name = RunName(network, named or config["model"]["recipe"]["name"])
        if name.network.name != arch:
            raise InputError(
                f"--run {run} names {name.network}, --model.arch names {arch}: give one of them"
            )
        ancestry = self._load_start()
        check_processes(self.options)
        self.data.share_of(1)  # refuses a batch larger than the data before anything is written
        self.store = RecordStore(Path(runs_dir) / "records.jsonl")
        self.folder = RunFolder(runs_dir, name, self.module.seed)
        if not restart and isinstance(self.data, ImageData):
            self.data.resume_with(self.folder.loader)
        self.same_data: Callable[[str | None], bool] = getattr(
            self.data, "same_data", lambda found: found == self.data.data_hash
        )
        self.module.trained_with = {
            "run": self.folder.run,
            "source": self.cli.config["data"]["source"],
            "data": self.data.data_name,
            "data_hash": self.data.data_hash,
            "stored": dict(self.data.stored),
            "loader": self.data.loader_name,
            "precision": self.options["precision"],
            "trainer": decisive(self.options) | self.data.beyond_recipe,
            "classes": list(self.data.classes),
            **({"ancestry": ancestry} if ancestry else {}),
        }

    def _check_names(self, run: str | None, arguments: list[str], opener: Opener | None) -> None:
        """InputError for a wrong name or setting, before images are read or written."""
        check_arguments(arguments)
        network, recipe = _named(run, arguments)
        config: dict[str, Any] = {}
        if network is not None:
            arch = arch_named(network)
            # one that the number of images decides is not known yet
            stand_in = recipe or load_recipe(SCRATCH[0][1])
            config = run_config(arch.name, stand_in, definition=own_definition(arch))
        given = [word for word in arguments if not word.startswith("--print_config")]
        settings = TrainerCLI(config, given, builds=False).config
        if network is None or recipe is not None:
            Recipe.from_dict(vars(settings["model"]["recipe"]))
        check_trainer(settings["trainer"])
        find_source(settings["data"]["source"], settings["data"]["data_dir"])
        weights = settings["model"]["weights"]
        self.start = opener(weights) if opener is not None and weights is not None else None
        if self.start is not None:
            model = settings["model"]
            check_body(network_of(model["arch"], model["definition"]), self.start)

    def _load_start(self) -> dict[str, Any]:
        """Loads the trained weights to start from, if any; returns what is known of them."""
        module, data, start = self.module, self.data, self.start
        if module.recipe.initial:
            raise InputError("recipe.initial follows from --weights: use --weights instead")
        if start is None:
            check_start(module.recipe)
            return {}
        taken = module.start_from(start, data.classes, data.data_name)
        tell(f"starts from {start.description}: {taken}")
        return start.ancestry

    def fit(self, checkpoint_every: float) -> Record:
        """Trains or resumes the run, or returns the record of a finished one."""
        with self.folder.locked() if self.first else nullcontext():
            if self.first:
                self.store.check()
                self.begun = (self.folder.path / "settings.json").exists() and not self.restart
                self._claim()
            recipe = self.module.recipe
            found = self.folder.finished(
                self.module.arch.name, recipe.digest, self.data.data_name, self.same_data
            )
            if found is not None:
                if self.first:  # the process may have died between folder and store
                    self.store.append(found)
                print(f"{self.folder.path}: finished before; --restart trains it again")
                return found
            if self.first:
                write_whole(self.folder.path / "config.yaml", self.cli.saved_config())
            content = checkpoint_of(self.folder.checkpoint, self.module, self.same_data)
            trainer = self._trainer(content, checkpoint_every)
            steps = self._steps(trainer)
            if trainer.strategy.root_device.type == "cpu":
                keep_freed_memory()
            tell(beginning(trainer, self.module, self.data, steps, self.folder.path))
            if content is not None:
                self._check_resumed(content, trainer, steps)
            elif self.begun:
                tell(
                    f"{self.folder.path}: begun before without a checkpoint: "
                    "starts from the first step"
                )
            lost = lost_process_reported(lambda: kept(self.folder.checkpoint))
            with (
                named_as_parent(),
                in_one_line(self.folder, recipe, self.stopping, self.callback),
                self.cli.speed.without_pauses(),
                lost,
            ):
                trainer.fit(
                    self.module,
                    self.data,
                    ckpt_path=self.folder.checkpoint if content is not None else None,
                    weights_only=True,
                )
                if trainer.interrupted:
                    raise KeyboardInterrupt
                self.stopping.end_if_asked()
                measure(trainer, self.module, self.data, self.folder.checkpoint)
            record = make_record(
                self.folder.run, trainer, self.module, self.data, self.cli.speed.summary(), steps
            )
            if self.first:
                # the folder first: a run that dies here appends its record at the next start
                self.folder.finish(record)
                self.store.append(record)
        return record

    def _claim(self) -> None:
        own = self.module.trained_with
        kept = ("data", "data_hash", "loader", "stored", "ancestry")
        settings = {k: own[k] for k in kept if own.get(k) or k not in ("stored", "ancestry")}
        self.folder.claim(
            {**self.module.settings, **settings, **own["trainer"]}, self.restart, self.same_data
        )

    def _trainer(self, content: dict[str, Any] | None, checkpoint_every: float) -> Trainer:
        steps = content["global_step"] if content is not None else 0
        callback = RunCheckpoint(
            self.folder.checkpoint, checkpoint_every, self.stopping, self.cli.speed
        )
        ended = content is not None and content.get("ended") is True
        trainer = self.cli.trainer_for(
            logger=self.options.get("logger") or board(self.folder, steps),
            callbacks=[
                Lines(self.cli.speed),
                *self._bar(),
                callback,
                BoardExtras(self.data.data_name),
                *(self.cli.config_init["trainer"].get("callbacks") or []),
            ],
            plugins=own_cluster(),
            default_root_dir=self.folder.path,
            # a run that ended early has no more epochs to train
            **({"max_epochs": content["epoch"] + 1} if content is not None and ended else {}),
        )
        loop = StepLoop(trainer, self.module, self.cuda_graph)
        trainer.fit_loop.epoch_loop.automatic_optimization = loop
        self.callback = callback
        return trainer

    def _bar(self) -> list[ProgressBar]:
        """Our progress bar, if one is wanted and the user brings none."""
        theirs = self.cli.config_init["trainer"].get("callbacks") or []
        if not self.options["enable_progress_bar"]:
            return []
        return [] if any(isinstance(c, ProgressBar) for c in theirs) else [Bar(self.cli.speed)]

    def _steps(self, trainer: Trainer) -> int:
        """Steps of an epoch.

        An incomplete step at its end is dropped: Lightning would make it with a part of the loss.
        """
        recipe, world = self.module.recipe, trainer.world_size
        share = self.data.share_of(world)  # an error is reported before processes are started
        steps = self.data.train_size // world // share // recipe.accumulate
        if steps < 1:
            raise InputError(
                f"batch_size {recipe.batch_size} is more than the {self.data.train_size} training "
                f"images of {self.data.data_name}"
            )
        if recipe.accumulate > 1:
            trainer.limit_train_batches = steps * recipe.accumulate
        return steps

    def _check_resumed(self, content: dict[str, Any], trainer: Trainer, steps: int) -> None:
        path, step = self.folder.checkpoint, content["global_step"]
        loops = trainer.fit_loop.state_dict()
        check_progress(content, self.module, loops, path)
        check_steps(content, steps * self.module.recipe.epochs, path)
        self.stopping.line = f"stopped; the same command resumes after step {step}"
        tell(f"{self.folder.path}: resumes from its last checkpoint, after step {step}")


def _named(run: str | None, arguments: list[str]) -> tuple[NetworkName | None, Recipe | None]:
    """The network and the recipe that `run` names; None if a file or the images decide."""
    if run is None:
        if value_of("--config", arguments) is None:
            raise InputError(
                "say what to train: fit <base>[.<strategy>-x<factor>][.<recipe>], or --config FILE"
            )
        return None, None
    network, named = network_and_recipe(run)
    if named is None:
        return network, None
    recipe = load_recipe(named)
    if recipe.data == PLACEHOLDER and value_of("--data.source", arguments) is None:
        raise InputError(
            f"recipe {recipe.name} is for your own images: say where they are with "
            "--data.source folder:PHOTOS"
        )
    return network, recipe


def _config(run: str | None, arguments: list[str]) -> dict[str, Any]:
    network, recipe = _named(run, arguments)
    if network is None:
        return {}
    arch = arch_named(network)
    recipe = recipe or _recipe_by_size(network, arguments)
    return run_config(arch.name, recipe, definition=own_definition(arch))


def _write_first(arguments: list[str]) -> None:
    """Writes the user's own images to a .beton file at their first use, and says so."""
    names = ("source", "data_dir", "loader")
    spec, data_dir, loader = (value_of(f"--data.{name}", arguments) for name in names)
    if spec is not None:
        write_first(spec, data_dir, loader, tell)


def _recipe_by_size(network: NetworkName, arguments: list[str]) -> Recipe:
    spec, data_dir = (value_of(f"--data.{name}", arguments) for name in ("source", "data_dir"))
    from_weights = value_of("--model.weights", arguments) is not None
    chosen = recipe_of_data(spec, data_dir, network, from_weights)
    tell(chosen.line)
    return for_device(chosen.recipe)
