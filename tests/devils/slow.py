"""The command with an encoder so slow that a signal meets it at work."""

import time
from collections.abc import Sequence
from typing import Any

SECONDS = 0.0


def slowly(seconds: float) -> dict[str, Any]:
    """An order for a command with such an encoder."""
    return {"attributes": {f"{__name__}:SECONDS": seconds}, "call": f"{__name__}:main"}


def main(words: Sequence[str]) -> int:
    """As the command's own `main`, each image taking SECONDS more."""
    from fastscale import cli
    from fastscale.data import encode

    real = encode.encode

    def slow(*args: Any) -> Any:
        time.sleep(SECONDS)
        return real(*args)

    encode.encode = slow
    return cli.main(list(words))
