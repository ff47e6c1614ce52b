"""What Lightning saves a run by: checkpoints that are whole or absent, with their digest beside."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import TorchCheckpointIO

from fastscale.training.checkpoint_io import write_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own writer goes through a temporary folder that may be on another disk, where a
    move is a copy that a kill can cut."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike,
        storage_options: Any | None = None,
    ) -> None:
        """`write_checkpoint`."""
        write_checkpoint(checkpoint, Path(path))
