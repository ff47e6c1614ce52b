"""The command with an encoder slow enough to be interrupted by a signal."""

import time
from collections.abc import Sequence
from typing import Any

SECONDS = 0.0


def slowly(seconds: float) -> dict[str, Any]:
    """The order for a command with such an encoder, see nursery.py."""
    return {"attributes": {f"{__name__}:SECONDS": seconds}, "call": f"{__name__}:main"}


def main(words: Sequence[str]) -> int:
    """The command's `main`, with SECONDS more for each image."""
    from fastscale import cli
    from fastscale.data import encode

    real = encode.encode

    def slow(*args: Any) -> Any:
        time.sleep(SECONDS)
        return real(*args)

    encode.encode = slow
    return cli.main(list(words))
