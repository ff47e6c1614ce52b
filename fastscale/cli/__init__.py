"""The `fastscale` command: a module a theme, a function a verb. Unusable input is one line on
stderr and exit code 2."""

import os
import sys
from collections.abc import Sequence

from fastscale.cli import checkpoint, data, networks, planning, reproduce, timing, training, using
from fastscale.cli.options import Parser, Verbs, own_archs
from fastscale.cli.terminal import plain_output
from fastscale.errors import InputError, RunError

TEXT = (
    "Fast and Accurate Model Scaling (CVPR 2021): networks, counts, training, tables and figures."
)
THEMES = (networks, planning, data, training, checkpoint, using, timing, reproduce)


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="fastscale", description=TEXT)
    verbs = Verbs(top, "verb", "VERB")
    for theme in THEMES:
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
        if rest and not args.further:
            top.error(f"unrecognised: {' '.join(rest)}")
        with own_archs(args):
            return args.run_verb(args, rest) if args.further else args.run_verb(args)
    except (InputError, RunError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `fastscale list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if isinstance(error, RunError) else 2
    except KeyboardInterrupt:
        print("interrupted; rerun the command to resume", file=sys.stderr)
        return 130
