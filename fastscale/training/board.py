"""TensorBoard's event files of a run."""

import threading
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from fastscale.training.runs import RunFolder


def board(folder: RunFolder, steps: int = 0) -> TensorBoardLogger:
    """A logger whose event files lie in the run's folder; compare runs with
    `tensorboard --logdir runs`.

    `steps`: steps made so far. Events of later steps, from an interrupted process, are hidden.
    """
    place: dict[str, Any] = {"name": "", "version": folder.path.name, "default_hp_metric": False}
    if steps:
        place["purge_step"] = steps
    threading.excepthook = board_failed
    return TensorBoardLogger(folder.path.parent, **place)


def board_failed(args: threading.ExceptHookArgs) -> None:
    """Keeps quiet when TensorBoard's writing thread cannot write, for example on a full disk.

    The next call in the training thread raises the same error, and that ends the run in one line.
    """
    if not isinstance(args.exc_value, OSError):
        threading.__excepthook__(args)
