"""How a verb is put on the command line, and how its mistakes are said: one line, exit code 2."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from fastscale.common import number
from fastscale.errors import InputError


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


def count(least: float, most: float) -> Callable[[str], float]:
    """An argparse type: a number as `real` takes it, or one with a unit: 400M, 4G, 1.5B."""
    read = real(least, most)

    def with_unit(text: str) -> float:
        digits, unit = text[:-1], text[-1:].upper()
        scale = _UNITS.get(unit, 1.0)
        return read(text) if scale == 1 else scale * _bounded(0, most / scale, False)(digits)

    return with_unit


_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


# What no network, device or data set comes near: beyond them a number is a slip of the keyboard.
MOST_BATCH = 1_000_000
BATCH = CLASSES = whole(1, MOST_BATCH)
PIXELS = whole(1, 4096)
DEVICES = whole(1, 100_000)
IMAGES = whole(1, 1_000_000_000_000)
COUNT = count(1, 1e15)  # flops, params, acts
MINUTES = real(1e-3, 1e7)  # up to nineteen years
WEIGHTS = "raw or averaged (EMA) ones; default: auto, the better by recorded error"


class Parser(argparse.ArgumentParser):
    """argparse, with errors in one line, examples kept as written, and options that may also be
    spelled with underscores (`--runs_dir`)."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self._aliases: dict[str, str] = {}
        self._first_word = ""

    def add(self, name: str, kind: Any = None, text: str | None = None, **more: Any) -> None:
        """An argument or option. `kind`: a type, a tuple of choices, or bool for a switch."""
        if kind is bool:
            more["action"] = "store_true"
        elif isinstance(kind, tuple):
            more["choices"] = kind
        elif kind is not None:
            more["type"] = kind
        self.add_argument(name, help=text, **more)
        if name.startswith("--"):
            self._aliases["--" + name[2:].replace("-", "_")] = name

    def first_word(self, option: str, metavar: str) -> None:
        """A bare word at the beginning is the value of `option`. (argparse would take the value of
        any of Lightning's options, which it does not know, for such a word.)"""
        self._first_word = option
        self.usage = f"{self.prog} [{metavar}] [options]"

    def weights(self, text: str = WEIGHTS) -> None:
        """The option `--weights auto|raw|ema`."""
        self.add("--weights", ("auto", "raw", "ema"), text, default="auto")

    def own_archs(self) -> None:
        """The option `--arch FILE.py:NAME | FILE.yaml`, several times; see `own_archs` below."""
        text = (
            "a network of your own, known by its name in this command: FILE.py:NAME (the file is "
            "run) or a .yaml of its definition"
        )
        self.add("--arch", None, text, action="append", dest="own", default=[], metavar="FILE")

    def group_widths(self, default: str) -> None:
        """The option `--group-width-rounding`; `default`, in words."""
        text = (
            "paper or power_of_two: group widths of 1 to 64 that are powers of two, which GPUs have "
            f"fast kernels for (a strategy with -pow2 behind its name); default: {default}"
        )
        self.add("--group-width-rounding", None, text, metavar="RULE")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = args if args is None else [self._spelled(word) for word in args]
        if words and self._first_word and not words[0].startswith("-"):
            if self._first_word in words:
                self.error(f"{words[0]} and {self._first_word}: give one of them")
            words = [self._first_word, *words]
        return super().parse_known_args(words, namespace)

    def _spelled(self, word: str) -> str:
        name, equals, value = word.partition("=")
        return self._aliases.get(name, name) + equals + value

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        raise InputError(f"{self.prog}: {message}; see {self.prog} --help")


class Verbs:
    """A level of the command line: verbs, or groups of verbs (`fastscale data write`)."""

    def __init__(
        self,
        parser: argparse.ArgumentParser,
        dest: str,
        metavar: str,
        texts: Mapping[str, str],
    ):
        self._texts = texts  # what each verb does
        self._level = parser.add_subparsers(
            dest=dest, required=True, metavar=metavar, parser_class=Parser
        )

    def named(self, name: str, **more: Any) -> Parser:
        """The parser of a verb without its options."""
        text = self._texts[name]
        return self._level.add_parser(name, help=text, description=text, **more)

    def verb(
        self, name: str, run: Callable[..., int], example: str, further: bool = False
    ) -> Parser:
        """The parser of a new verb: `run(args)` does it and returns the exit code.

        `further`: arguments unknown here are Lightning's, and `run(args, further)` gets them.
        """
        p = self.named(name, epilog=f"example:\n  {example}")
        p.set_defaults(run_verb=run, further=further)
        return p

    def group(self, name: str, texts: Mapping[str, str]) -> "Verbs":
        """Verbs of a second word, and what each does."""
        return Verbs(self.named(name), "action", "ACTION", texts)


def given(args: argparse.Namespace, function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that bear the names of the function's parameters."""
    import inspect  # as slow to import as the rest of a help

    names = inspect.signature(function).parameters
    return {name: getattr(args, name) for name in names if hasattr(args, name)}


@contextmanager
def own_archs(args: argparse.Namespace) -> Iterator[None]:
    """The networks of `--arch` are known in the block; `args.own_names` are their names."""
    args.own_names = []
    if not getattr(args, "own", None):
        yield
        return
    from fastscale.archs.files import read_arch
    from fastscale.archs.registry import registered

    archs = [read_arch(text) for text in args.own]
    args.own_names = [arch.name for arch in archs]
    with registered(archs):
        yield
