"""Which of several processes prints, and which of Lightning's warnings are silenced."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning.utilities import rank_zero_only

from fastscale.errors import InputError, RunError


def speaks() -> bool:
    """Whether this process is the one of several that prints and writes."""
    return (getattr(rank_zero_only, "rank", None) or 0) == 0


def tell(line: str) -> None:
    """Prints a line on stdout, in one process of several."""
    if speaks():
        print(line, flush=True)


@contextmanager
def one_speaks() -> Iterator[None]:
    """Lets one process report an error that ends all of them."""
    try:
        yield
    except (InputError, RunError) as error:
        if speaks():
            raise
        raise SystemExit(1 if isinstance(error, RunError) else 2) from None


def quiet() -> None:
    """Silences Lightning's warnings about choices that are made on purpose here."""
    for text in (
        "does not have many workers",
        "Checkpoint directory",
        "isinstance.treespec",
        "in eval mode",  # the averaged weights
        "on_after_batch_transfer",
        "transfer_batch_to_device",
        "smaller than the logging interval",
        "sync_dist",  # torchmetrics gathers by itself
        "your dataloader is not resumable",  # ours is, without Lightning's interface
        "The `srun` command is available",
        "Grad strides do not match",  # of 1x1 convolutions in channels_last: the same numbers
        "method of metric MeanMetric was called before",  # a resumed epoch's loss is set
    ):
        warnings.filterwarnings("ignore", f".*{text}.*")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # this one says which process of several has died
    logging.getLogger("lightning_fabric.strategies.launchers").setLevel(logging.INFO)
