"""Turns whatever ends a run into one line that says what remains of the run."""

from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities.exceptions import MisconfigurationException

from fastscale.errors import InputError, RunError
from fastscale.training.processes import what_ended
from fastscale.training.recipe import Recipe
from fastscale.training.run_checkpoint import RunCheckpoint, kept
from fastscale.training.runs import RunFolder
from fastscale.training.stopping import Stopped, Stopping


@contextmanager
def stop_first(stopping: Stopping) -> Iterator[None]:
    """Raises `Stopped` again if another error hides it, such as that of a half-started worker."""
    try:
        yield
    except Exception as error:
        if stopping.raised:
            raise Stopped(stopping.came) from error
        raise


@contextmanager
def in_one_line(
    folder: RunFolder, recipe: Recipe, stopping: Stopping, callback: RunCheckpoint
) -> Iterator[None]:
    """Turns an error in the block into InputError or RunError, with the last good checkpoint."""
    path = folder.checkpoint
    try:
        with stop_first(stopping):
            yield
    except MisconfigurationException as error:
        raise InputError(f"--trainer: {error}") from None
    except (InputError, Stopped):
        raise
    except RunError as error:
        raise (
            error if "checkpoint" in str(error) else RunError(f"{error}; {kept(path)}")
        ) from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,
        MemoryError,
    ) as error:
        if "SLURM" in str(error):  # tasks and --trainer.devices differ
            raise InputError(f"srun: {error}") from None
        if text := what_ended(error, recipe):
            raise RunError(f"{text}; {kept(path)}") from error
        if callback.loading:
            raise InputError(
                f"{path}: damaged: training cannot resume from it; give --restart to train this "
                "run from the start"
            ) from error
        raise
    except OSError as error:  # a full disk, a limit
        text = what_ended(error, recipe) or f"{folder.path}: {error.strerror or error}"
        raise RunError(f"{text}; {kept(path)}") from error
