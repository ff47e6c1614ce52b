"""Checks the environment variables that launchers of several processes set.

Lightning reads them when it is imported, and one that is no number would end in a traceback.
"""

import os

from fastscale.common import number, plain, span
from fastscale.errors import InputError

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "SLURM_LOCALID", "JSM_NAMESPACE_RANK")
PLACES = ("NODE_RANK", "GROUP_RANK", "SLURM_NODEID")
SIZES = ("WORLD_SIZE", "LOCAL_WORLD_SIZE")
MOST = 1_000_000  # processes


def check_variables() -> None:
    """InputError for a variable that is no valid number, or that no launcher has set.

    A process with a rank above 0 that no launcher started would train and write nothing.
    """
    limits = {
        **dict.fromkeys((*RANKS, *PLACES), (0, MOST)),
        **dict.fromkeys(SIZES, (1, MOST)),
        "MASTER_PORT": (0, 65535),
    }
    for name, (least, most) in limits.items():
        if (text := os.environ.get(name)) is not None:
            try:
                # digits only: programs that read it do not understand 1e3
                number(text if text.isdecimal() else "no number", least, most, whole=True)
            except ValueError:
                raise InputError(
                    f"the environment variable {name}: wanted a whole number {span(least, most)}, "
                    f"got {plain(text)[:40]!r}"
                ) from None
    rank, size = (os.environ.get(name) for name in ("RANK", "WORLD_SIZE"))
    if rank is None:
        return
    if size is not None and int(float(rank)) >= int(float(size)):
        raise InputError(f"the environment variables RANK={rank}, WORLD_SIZE={size}: no such rank")
    started = {"TORCHELASTIC_RUN_ID", "LOCAL_RANK", "SLURM_PROCID"} & set(os.environ)
    if int(float(rank)) and not started:
        raise InputError(
            f"the environment variable RANK={rank} is set, but no launcher started this process: "
            "unset it, or use torchrun"
        )
