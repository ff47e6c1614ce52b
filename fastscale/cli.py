"""The `fastscale` command. Its verbs stand in fastscale/verbs; unusable input is one line on stderr and exit code 2."""

import os
import sys
from collections.abc import Sequence

from fastscale.errors import InputError, RunError
from fastscale.verbs import (
    checkpoint,
    data,
    export,
    networks,
    planning,
    predict,
    report,
    reproduce,
    timing,
    training,
)
from fastscale.verbs.parsing import Parser, Verbs
from fastscale.verbs.terminal import plain_output

VERBS = (networks, planning, data, training, checkpoint, predict, export, timing, reproduce, report)


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="fastscale",
        description="Fast and Accurate Model Scaling (CVPR 2021): networks, counts, training, tables and figures.",
    )
    verbs = Verbs(top, "verb", "VERB")
    for theme in VERBS:
        theme.add(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    with plain_output():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    top = parser()
    try:
        args, rest = top.parse_known_args(argv)
        if args.further:
            return args.run_verb(args, rest)
        if rest:
            top.error(f"unrecognised: {' '.join(rest)}")
        return args.run_verb(args)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except RunError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `fastscale list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command takes up where this one stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
