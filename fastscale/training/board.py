"""TensorBoard's event files of a run."""

import threading
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from fastscale.training.runs import RunFolder


def board(folder: RunFolder, steps: int = 0) -> TensorBoardLogger:
    """TensorBoard's event files straight in the run's folder; runs compare under `tensorboard --logdir runs`.

    `steps`: taken so far; what an interrupted process wrote of later ones is not shown.
    """
    place: dict[str, Any] = {"name": "", "version": folder.path.name, "default_hp_metric": False}
    if steps:
        place["purge_step"] = steps
    threading.excepthook = board_failed
    return TensorBoardLogger(folder.path.parent, **place)


def board_failed(args: threading.ExceptHookArgs) -> None:
    """TensorBoard's writing thread could not write (a full disk): its next call in the training
    thread raises that error, where it ends the run in a line."""
    if not isinstance(args.exc_value, OSError):
        threading.__excepthook__(args)
