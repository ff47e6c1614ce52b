"""How a verb is put on the command line, and how its mistakes are said: one line, exit code 2."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from fastscale.common import number
from fastscale.errors import InputError
from fastscale.home import home


class Parser(argparse.ArgumentParser):
    """argparse, with errors in one line and examples kept as written."""

    def __init__(self, *args, **kwargs):
        super().__init__(
            *args,
            **{
                "formatter_class": argparse.RawDescriptionHelpFormatter,
                "allow_abbrev": False,
                **kwargs,
            },
        )

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")


class Verbs:
    """A level of the command line: verbs, or groups of verbs (`fastscale data write`)."""

    def __init__(self, parser: argparse.ArgumentParser, dest: str, metavar: str):
        self._level = parser.add_subparsers(
            dest=dest, required=True, metavar=metavar, parser_class=Parser
        )

    def verb(
        self, name: str, run: Callable[..., int], text: str, example: str, further: bool = False
    ) -> Parser:
        """The parser of a new verb: `run(args)` does it and returns the exit code.

        `further`: arguments unknown here are Lightning's, and `run(args, further)` gets them.
        """
        p = self._level.add_parser(
            name, help=text, description=text, epilog=f"example:\n  {example}"
        )
        p.set_defaults(run_verb=run, further=further)
        return p

    def group(self, name: str, text: str) -> "Verbs":
        """Verbs of a second word."""
        return Verbs(self._level.add_parser(name, help=text, description=text), "action", "ACTION")


def whole(least: int = 1, most: int = 1_000_000_000) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`; `1e6` is one too."""
    return _bounded(least, most, True)  # type: ignore[return-value]


def real(least: float = 0.0, most: float = 1e15) -> Callable[[str], float]:
    """An argparse type: a finite number from `least` to `most`."""
    return _bounded(least, most, False)


def _bounded(least: float, most: float, is_whole: bool) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return number(text, least, most, is_whole)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


# What no network, device or data set comes near: beyond them a number is a slip of the keyboard.
MOST_PIXELS = 4096
MOST_CLASSES = MOST_BATCH = 1_000_000
MOST_DEVICES = 100_000
MOST_IMAGES = 1_000_000_000_000
MOST_COUNT = 1e15  # flops, params, acts
MOST_MINUTES = 1e7  # nineteen years


def add_weights(p: argparse.ArgumentParser) -> None:
    """The option `--weights auto|raw|ema`."""
    p.add_argument(
        "--weights",
        choices=("auto", "raw", "ema"),
        default="auto",
        help="raw or averaged (EMA) ones; default: auto, the better by recorded error",
    )


def runs_dir() -> str:
    """Where runs are kept."""
    return str(home().runs)
