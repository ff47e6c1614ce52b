"""The checkpoint writer that Lightning uses here: a checkpoint is complete or absent."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import TorchCheckpointIO

from fastscale.training.checkpoint_io import write_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes with `write_checkpoint`, which also writes the digest.

    Lightning's own writer uses a temporary folder, which may be on another disk. Moving a file
    between disks copies it, and a kill leaves half of the copy.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike,
        storage_options: Any | None = None,
    ) -> None:
        write_checkpoint(checkpoint, Path(path))
