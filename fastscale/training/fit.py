"""`fastscale fit`: one run, from its name to its record; taken up again by itself where it was interrupted."""

import logging
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from fastscale.errors import InputError, RunError
from fastscale.records import Record, RecordStore, environment, network_fields
from fastscale.scaling import parse_run
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.layout import resolve_layout
from fastscale.training.monitor import BoardExtras
from fastscale.training.processes import check_processes, own_cluster, what_ended
from fastscale.training.recipe import load_recipe
from fastscale.training.run_checkpoint import STOPPED, RunCheckpoint, kept
from fastscale.training.runs import RunFolder, write_atomically
from fastscale.training.trainer_cli import TrainerCLI, final_errors, run_config

# trainer options that decide a result, kept with the run's settings; and those that would leave a part of it out
DECISIVE = (
    "precision",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "deterministic",
    "sync_batchnorm",
)
CHECKPOINT_EVERY = 60.0  # seconds at least between two checkpoints within an epoch
HALF_RUNS = (
    "fast_dev_run",
    "limit_train_batches",
    "limit_val_batches",
    "overfit_batches",
    "max_steps",
    "max_time",
)


def fit(
    run: str | None,
    arguments: list[str],
    runs_dir: str = "runs",
    restart: bool = False,
    checkpoint_every: float = CHECKPOINT_EVERY,
) -> Record:
    """Trains `run` (or what `--config` in `arguments` says) and returns its record; a finished run's record is returned as it is.

    `arguments` are LightningCLI's. `checkpoint_every`: seconds (see RunCheckpoint). InputError for an unusable name, setting or data set,
    or a folder that holds another run; RunError for a run that could not go on.
    """
    with one_speaks():
        quiet()
        return _fit(run, arguments, runs_dir, restart, checkpoint_every)


def _fit(
    run: str | None, arguments: list[str], runs_dir: str, restart: bool, checkpoint_every: float
) -> Record:
    config: dict[str, Any] = {}
    if run is not None:
        name = parse_run(run)
        if name.recipe is None:
            raise InputError(
                f"{run!r} names no recipe: write <base>[.<strategy>-x<factor>].<recipe>, as in {run}.imagenet-100ep"
            )
        config = run_config(name.arch().name, load_recipe(name.recipe))
    elif not any(a == "--config" or a.startswith("--config=") for a in arguments):
        raise InputError(
            "say what to train: --run <base>[.<strategy>-x<factor>].<recipe>, or --config FILE"
        )
    cli = TrainerCLI(config, arguments)
    module, data, seed = cli.model, cli.datamodule, cli.config["seed_everything"]
    folder = RunFolder(runs_dir, run or f"{module.arch.name}.{module.recipe.name}", seed)
    first = speaks()
    if run is not None and module.arch.name != parse_run(run).arch_name:
        raise InputError(
            f"--run {run} is of {parse_run(run).arch_name}, --model.arch says {module.arch.name}: give one of them"
        )
    refuse_half_runs(cli.config["trainer"])
    check_processes(cli.config["trainer"])
    data.share_of(1)  # a batch larger than the data is said before anything is written
    module.trained_with = {
        "source": cli.config["data"]["source"],
        "loader": data.loader_name,
        "precision": cli.config["trainer"]["precision"],
        "classes": list(data.classes),
    }
    with folder.locked() if first else nullcontext():
        if first:
            trainer_settings = {k: cli.config["trainer"].get(k) or None for k in DECISIVE}
            data_settings = {
                "data": data.data_name,
                "data_hash": data.data_hash,
                "loader": data.loader_name,
            }
            folder.claim({**module.settings, **data_settings, **trainer_settings}, restart)
        if folder.record is not None:
            print(f"{folder.path}: finished before; --restart trains it anew")
            return folder.record
        if first:
            write_atomically(folder.path / "config.yaml", cli.saved_config())
        resume = folder.checkpoint if folder.checkpoint.is_file() else None
        # one cut short is said so here; --restart begins anew
        steps = read_checkpoint(resume)["global_step"] if resume else 0
        trainer = cli.trainer_for(
            logger=cli.config["trainer"].get("logger") or board(folder, steps),
            callbacks=[
                RunCheckpoint(folder.checkpoint, checkpoint_every),
                BoardExtras(data.data_name),
                *(cli.config_init["trainer"].get("callbacks") or []),
            ],
            plugins=own_cluster(),
            default_root_dir=folder.path,
        )
        data.share_of(trainer.world_size)  # said before processes are started
        if resume and first:
            print(
                f"{folder.path}: taken up from its last checkpoint, after step {steps}", flush=True
            )
        try:
            trainer.fit(module, data, ckpt_path=resume, weights_only=True)
        except SIGTERMException:  # before the first step, when Lightning still listens
            raise SystemExit(STOPPED) from None
        except MisconfigurationException as error:
            raise InputError(f"--trainer: {error}") from None
        except ValueError as error:
            if "SLURM" in str(error):  # tasks and --trainer.devices differ
                raise InputError(f"srun: {error}") from None
            raise
        except RunError as error:
            raise (
                error
                if "checkpoint" in str(error)
                else RunError(f"{error}; {kept(folder.checkpoint)}")
            ) from error
        except RuntimeError as error:
            if text := what_ended(error, module.recipe):
                raise RunError(f"{text}; {kept(folder.checkpoint)}") from error
            raise
        if trainer.interrupted:
            raise KeyboardInterrupt
        if "top1_error" not in trainer.callback_metrics:  # taken up after its last epoch
            trainer.validate(module, data, verbose=False)
        values = {
            **final_errors(trainer),
            **cli.speed.summary(),
            "peak_memory_mib": peak_memory_mib(),
        }
        if "train_loss" in trainer.callback_metrics:
            values["train_loss"] = float(trainer.callback_metrics["train_loss"])
        record = make_record(folder, trainer, module, data, values)
        if first:
            RecordStore(Path(runs_dir) / "records.jsonl").append(record)
            folder.finish(record)
    return record


def refuse_half_runs(trainer: Any) -> None:
    """InputError for trainer options that would make something else of a run than its recipe says."""
    for option in HALF_RUNS:
        if trainer.get(option) not in (None, False, 0.0, -1):
            instead = "--model.recipe.epochs and --model.recipe.limit_train make a run short"
            raise InputError(
                f"--trainer.{option} would leave a part of the run out and its record would not show it; {instead}"
            )
    if trainer.get("limit_val_batches") == 0:
        raise InputError("--trainer.limit_val_batches 0 would leave the run without its result")


@contextmanager
def one_speaks() -> Iterator[None]:
    """What ends all processes alike is said by one of them."""
    try:
        yield
    except (InputError, RunError) as error:
        if speaks():
            raise
        raise SystemExit(1 if isinstance(error, RunError) else 2) from None


def speaks() -> bool:
    """Whether this process is the one of several that prints and writes."""
    return (getattr(rank_zero_only, "rank", None) or 0) == 0


def quiet() -> None:
    """Silences what Lightning says about choices that are made on purpose here."""
    for text in (
        "does not have many workers",
        "Checkpoint directory",
        "isinstance.treespec",
        "in eval mode",  # the averaged weights
        "on_after_batch_transfer",
        "smaller than the logging interval",
        "sync_dist",  # torchmetrics gathers by itself
        "your dataloader is not resumable",  # it is, in our way
        "The `srun` command is available",
    ):
        warnings.filterwarnings("ignore", f".*{text}.*")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric.strategies.launchers").setLevel(
        logging.INFO
    )  # says which process of several has died


def board(folder: RunFolder, steps: int = 0) -> TensorBoardLogger:
    """TensorBoard's event files straight in the run's folder; runs compare under `tensorboard --logdir runs`.

    `steps`: taken so far; what an interrupted process wrote of later ones is not shown.
    """
    place: dict[str, Any] = {"name": "", "version": folder.path.name, "default_hp_metric": False}
    if steps:
        place["purge_step"] = steps
    return TensorBoardLogger(folder.path.parent, **place)


def peak_memory_mib() -> float:
    """Peak memory of the device, or of this process where the device is the CPU."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_record(
    folder: RunFolder,
    trainer: Trainer,
    module: ImageClassifier,
    data: Any,
    values: dict[str, float],
) -> Record:
    """The finished run as one record."""
    recipe = module.recipe
    return Record(
        kind="train",
        run=folder.run,
        **network_fields(module.arch, module.num_classes),
        data=data.data_name,
        data_hash=data.data_hash,
        recipe=recipe.name,
        recipe_hash=recipe.digest,
        seed=module.seed,
        epochs=recipe.epochs,
        values=values,
        env=environment(
            precision=trainer.precision,
            layout=resolve_layout(recipe.layout),
            compile=recipe.compile,
            batch=recipe.batch_size,
            devices=trainer.world_size,
            loader=data.loader_name,
            augmentation=recipe.augmentation,
        ),
    )
