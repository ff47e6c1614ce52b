"""Parsers of the command line, whose errors are one line with exit code 2."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from fastscale.common import did_you_mean, number, plain
from fastscale.errors import InputError


def whole(least: int = 1, most: int = 1_000_000_000) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`, perhaps written `1e6`."""
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
    """An argparse type: like `real`, also with a unit: 400M, 4G, 1.5B."""
    read = real(least, most)

    def with_unit(text: str) -> float:
        scale = _UNITS.get(text[-1:].upper())
        try:
            return read(text if scale is None else str(scale * float(text[:-1])))
        except (ValueError, argparse.ArgumentTypeError):
            return read(text)  # raises, and names what was typed

    return with_unit


_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}


FURTHER = "config|seed_everything|print_config|trainer|model|data"  # beginnings of Lightning's
# bounds that no network, device or data set comes near: a larger number is a typing error
MOST_BATCH = 1_000_000
BATCH = CLASSES = whole(1, MOST_BATCH)
PIXELS = whole(1, 4096)
DEVICES = whole(1, 100_000)
IMAGES = whole(1, 1_000_000_000_000)
COUNT = count(1, 1e15)  # flops, params, acts
MINUTES = real(1e-3, 1e7)  # up to nineteen years
RUNS_DIR = "folder of runs; default: $FASTSCALE_RUNS or runs"
JSON = "print JSON"
WEIGHTS = "raw or averaged (EMA) ones; default: auto, the better by recorded error"


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with errors of one line and examples printed as written.

    Options may also be spelled with underscores (`--runs_dir`).
    """

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self._aliases: dict[str, str] = {}
        self._first_word = ""

    def add(self, name: str, kind: Any = None, text: str | None = None, **more: Any) -> None:
        """Adds an argument or option. `kind`: a type, a tuple of choices, or bool for a switch."""
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
        """Makes a bare word at the beginning the value of `option`.

        A positional argument would not do: argparse does not know Lightning's options and would
        take the value of one for it.
        """
        self._first_word = option
        self.usage = f"{self.prog} [{metavar}] [options]"

    def weights(self, text: str = WEIGHTS) -> None:
        """Adds the option `--weights auto|raw|ema`."""
        self.add("--weights", ("auto", "raw", "ema"), text, default="auto")

    def own_archs(self) -> None:
        """Adds the option `--arch FILE.py:NAME | FILE.yaml`; see the function `own_archs` below."""
        text = (
            "a network of yours, which this command then knows by name: FILE.py:NAME (runs the "
            "file) or a .yaml with its definition; may be repeated"
        )
        self.add("--arch", None, text, action="append", dest="own", default=[], metavar="FILE")

    def group_widths(self, default: str) -> None:
        """Adds the option `--group-width-rounding`; `default` is text for its help."""
        text = (
            "paper or power_of_two (like -pow2 at the end of a strategy): powers of two up to 64, "
            f"for which GPUs have fast kernels; default: {default}"
        )
        self.add("--group-width-rounding", None, text, metavar="RULE")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's, and names what is similar."""
        if action.choices is not None and value not in action.choices:
            near = did_you_mean(value, map(str, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {plain(str(value))!r}; {near}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = args if args is None else [self._spelled(word) for word in args]
        self._refuse_unknown(words or ())
        if words and self._first_word and not words[0].startswith("-"):
            if self._first_word in words:
                self.error(f"{words[0]} and {self._first_word}: give one of them")
            words = [self._first_word, *words]
        return super().parse_known_args(words, namespace)

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        """The error for unknown options, before argparse reports what is missing because of them.

        Those after a verb are the verb's. Those of a verb with `further` options are Lightning's,
        unless they are similar to the verb's own.
        """
        own = words[:1] if self._subparsers else words[: [*words, "--"].index("--")]
        known = self._option_string_actions
        options = [w for w in own if w.startswith("--") and w.partition("=")[0] not in known]
        if self.get_default("further"):
            own = [w for w in options if not re.match(rf"--({FURTHER})\b", w)]
            options = [w for w in own if self._near(w)]
        if options:
            self.unknown(options)

    def _spelled(self, word: str) -> str:
        name, equals, value = word.partition("=")
        return self._aliases.get(name, name) + equals + value

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """The error for words that no option takes."""
        near = self._near(words[0])
        self.error(f"unrecognised: {' '.join(words)}{'; ' if near else ''}{near}")

    def _near(self, word: str) -> str:
        """The hint for a misspelt option; "" if none is similar."""
        names = [k.lstrip("-") for k in self._option_string_actions if k not in ("-h", "--help")]
        hint = did_you_mean(word.partition("=")[0].lstrip("-"), names)
        return re.sub(r"'(?=\w)", "'--", hint) if hint.startswith("did you mean") else ""

    def error(self, message: str) -> NoReturn:
        """Raises InputError, which ends in one line and exit code 2."""
        see = f"{self.prog} --help"
        more = f" (see `{see}`)" if message.endswith("?") else f"; see {see}"
        raise InputError(f"{self.prog}: {message}{more}")


class Verbs:
    """A level of the command line: verbs and groups of verbs (`fastscale data write`)."""

    def __init__(
        self,
        parser: argparse.ArgumentParser,
        dest: str,
        metavar: str,
        texts: Mapping[str, str],
    ):
        self._texts = texts  # help of each verb
        self._level = parser.add_subparsers(
            dest=dest, required=True, metavar=metavar, parser_class=Parser
        )

    def named(self, name: str, **more: Any) -> Parser:
        """Adds a verb without its options."""
        text = self._texts[name]
        return self._level.add_parser(name, help=text, description=text, **more)

    def verb(
        self, name: str, run: Callable[..., int], example: str, further: bool = False
    ) -> Parser:
        """Adds a verb: `run(args)` does the work and returns the exit code.

        `further`: pass unknown arguments, which are Lightning's, on to `run(args, rest)`.
        """
        p = self.named(name, epilog=f"example:\n  {example}")
        p.set_defaults(run_verb=run, further=further, parser=p)
        return p

    def group(self, name: str, texts: Mapping[str, str]) -> "Verbs":
        """Adds a group of verbs with their help texts."""
        return Verbs(self.named(name), "action", "ACTION", texts)


def given(args: argparse.Namespace, function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments whose names are parameters of the function."""
    import inspect  # its import takes as long as the rest of a --help

    names = inspect.signature(function).parameters
    return {name: getattr(args, name) for name in names if hasattr(args, name)}


@contextmanager
def own_archs(args: argparse.Namespace) -> Iterator[None]:
    """Registers the networks of `--arch` during the block; sets `args.own_names` to their names."""
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
