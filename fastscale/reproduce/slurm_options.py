"""SLURM's options on the command line: a time limit and further sbatch parameters."""

import re
from collections.abc import Sequence

from fastscale.errors import InputError


def parse_minutes(text: str) -> int:
    """Minutes, rounded up, from a time limit in one of SLURM's formats.

    minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes[:seconds]

    >>> [parse_minutes(t) for t in ("90", "90:30", "8:00:00", "2-0", "1-12:30")]
    [90, 91, 480, 2880, 2190]
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not found:
        raise InputError(
            f"--time {text!r}: give a SLURM time: minutes, hours:minutes:seconds, or days-hours"
        )
    days, a, b, c = (int(v or 0) for v in found.groups())
    if found[1] is not None:
        seconds = ((24 * days + a) * 60 + b) * 60 + c
    elif found[4] is not None:
        seconds = (a * 60 + b) * 60 + c
    else:
        seconds = a * 60 + b
    if seconds < 60:
        raise InputError(f"--time {text!r}: give at least a minute")
    return -(-seconds // 60)


def parse_further(pairs: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs; keys are sbatch's long options."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z_-]*", key):
            raise InputError(
                f"--slurm {pair!r}: give KEY=VALUE, for example --slurm account=vision or "
                "--slurm cpus_per_task=8"
            )
        found[key.replace("-", "_")] = value
    if not found.get("nodes", "1").isdigit() or found.get("nodes") == "0":
        raise InputError(f"--slurm nodes={found['nodes']}: give a number of at least 1")
    return found
