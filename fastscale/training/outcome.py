"""Makes the record of a finished run: the errors of its saved weights, and how it was trained."""

import resource
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer

from fastscale.records import Record, environment, network_fields
from fastscale.training.checkpoint_io import read_checkpoint, write_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.layout import resolve_layout


def measure(trainer: Trainer, module: ImageClassifier, data: Any, path: Path) -> None:
    """Validates the final weights, if the last validation was of earlier ones.

    Writes errors and statistics into the run's checkpoint `path`. Precise statistics are computed
    first, unless an earlier process of this run has done so.
    """
    if module.measured_at == trainer.global_step:
        return
    content = read_checkpoint(path)
    module.precise = content.get("errors") == {}
    trainer.validate(module, data, verbose=False)
    module.precise = False
    if trainer.is_global_zero and content.get("errors") != module.errors:
        state = {k: v.detach().cpu() for k, v in module.state_dict().items()}
        write_checkpoint({**content, "state_dict": state, "errors": module.errors}, path)
    trainer.strategy.barrier("the checkpoint is whole")


def make_record(
    run: str,
    trainer: Trainer,
    module: ImageClassifier,
    data: Any,
    speed: dict[str, float],
    steps: int,
) -> Record:
    """The record of a finished run; `steps`: of one epoch.

    The record of a run that ended early has the epochs that were trained, env.finished "early" and
    env.steps.
    """
    recipe, made = module.recipe, trainer.global_step
    values = {**module.errors, **speed, "peak_memory_mib": peak_memory_mib()}
    if module.epoch_loss is not None:
        values["train_loss"] = module.epoch_loss
    extra: dict[str, Any] = {}
    if made < recipe.epochs * steps:
        extra |= {"finished": "early", "steps": made}
    if data.stored:
        extra["stored"] = dict(data.stored)
    if ancestry := module.trained_with.get("ancestry"):
        extra["ancestry"] = ancestry
    # how the step was launched; unknown in Lightning's own loop
    if graph := getattr(trainer.fit_loop.epoch_loop.automatic_optimization, "used", None):
        extra["cuda_graph"] = graph
    if options := {k: v for k, v in module.trained_with["trainer"].items() if k != "precision"}:
        extra["trainer"] = options
    return Record(
        kind="train",
        run=run,
        **network_fields(module.arch, module.num_classes),
        data=data.data_name,
        data_hash=data.data_hash,
        recipe=recipe.name,
        recipe_hash=recipe.digest,
        seed=module.seed,
        epochs=min(recipe.epochs, made // steps),
        values=values,
        env=environment(
            precision=trainer.precision,
            layout=resolve_layout(recipe.layout),
            compile=recipe.compile,
            batch=recipe.batch_size,
            devices=trainer.world_size,
            loader=data.loader_name,
            augmentation=recipe.augmentation,
            clock="training batches",  # epoch times of older records include validation
            **extra,
        ),
    )


def peak_memory_mib() -> float:
    """Peak memory of the GPU, or of this process on a CPU, in MiB."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
