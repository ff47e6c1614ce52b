"""Texts: parses numbers, writes times, prints safely, renders templates, suggests names."""

import math
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

_NEAREST = 3  # names suggested
_NEAR = 0.6  # least similarity of a "did you mean"
_FEW = 30  # names that are listed in full, if none is similar


def number(value: Any, least: float, most: float, whole: bool = False) -> int | float:
    """`value` (a number or its text) as a number from `least` to `most`.

    A whole number may be written `1e6`. ValueError says what was wanted.
    """
    kind = "a whole number" if whole else "a number"
    message = f"wanted {kind} {span(least, most)}, got {plain(str(value))[:40]!r}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(message)
    try:
        found = float(value)
        exact = (
            int(value)
            if isinstance(value, str) and value.strip().lstrip("+-").isdecimal()
            else value
        )
    except (ValueError, OverflowError):
        raise ValueError(message) from None
    if not math.isfinite(found) or not least <= found <= most or (whole and found != int(found)):
        raise ValueError(message)
    return (exact if isinstance(exact, int) else int(found)) if whole else found


def span(least: float, most: float) -> str:
    """A range for a message, its ends as a person writes them.

    >>> span(1e-6, 1e6), span(0, 0.5), span(1, 1e15)
    ('from 0.000001 to 1,000,000', 'from 0 to 0.5', 'from 1 to 1e15')
    """
    return f"from {_written(least)} to {_written(most)}"


def _written(value: float) -> str:
    if abs(value) >= 1e12 or 0 < abs(value) < 1e-9:
        return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:g}")
    return f"{value:,.9f}".rstrip("0").rstrip(".")


def render(
    package: str,
    name: str,
    filters: dict[str, Callable[..., str]] | None = None,
    folder: str = "templates",
    **values: Any,
) -> str:
    """Renders the Jinja2 template `name` of a package's folder; a missing value is an error."""
    environment = _templates(package, folder)
    environment.filters.update(filters or {})
    return environment.get_template(name).render(values)


@cache
def _templates(package: str, folder: str) -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def plain(text: str) -> str:
    """`text` with control characters, direction marks and lone surrogates escaped, as in `\\x1b`.

    A name from a file or a server thus never controls the terminal. Newlines and tabs stay.

    >>> print(plain("a\\x1b[31mb"))
    a\\x1b[31mb
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else _escaped(c)
        for c in text
    )


def shown(text: object) -> str:
    """`text` for a message: `plain`, and without user names and passwords in URLs.

    >>> shown("http://ann:secret@example.org/x")
    'http://example.org/x'
    """
    return plain(re.sub(r"(?<=://)[^/\s]*@", "", str(text)))


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def pluralize(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun.

    >>> pluralize(1, "epoch"), pluralize(60_000, "image"), pluralize(2, "class", "classes")
    ('1 epoch', '60,000 images', '2 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """A time in one or two units; empty for None.

    >>> duration(0.41), duration(72), duration(4000), duration(7199.8), duration(200000)
    ('0.4 s', '1 min 12 s', '1 h 7 min', '2 h', '2 d 8 h')
    """
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    for size, name, less, small in units:
        if round(seconds) >= size:
            whole, rest = divmod(round(seconds / less), size // less)
            return f"{whole} {name}" + (f" {rest} {small}" if rest else "")
    return f"{seconds:.0f} s"


@cache
def say_once(line: str, error: bool = False) -> None:
    """Prints a line, with `error` on stderr; the same line only once per process."""
    print(line, file=sys.stderr if error else None, flush=True)


def slug(text: str) -> str:
    """`text` in lower case, its words joined by hyphens: fit for names of files and devices.

    >>> slug("NVIDIA H200"), slug("AMD EPYC (2 threads)")
    ('nvidia-h200', 'amd-epyc-2-threads')
    """
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def matching(names: Iterable[str], pattern: str | None = None) -> list[str]:
    """Names that contain `pattern`, or match it as a whole if it has * or ?; default: all.

    If none does, case is ignored.

    >>> matching(["dwr", "dWr"], "dWr"), matching(["resnet-50", "regnety-4gf"], "ResNet-?0")
    (['dWr'], ['resnet-50'])
    """
    import fnmatch

    wanted, known = pattern or "", list(names)

    def fits(name: str, wanted: str) -> bool:
        if any(c in wanted for c in "*?["):
            return fnmatch.fnmatchcase(name, wanted)
        return wanted in name

    exact = [name for name in known if fits(name, wanted)]
    return exact or [name for name in known if fits(name.lower(), wanted.lower())]


def did_you_mean(word: object, known: Iterable[str], see: str = "") -> str:
    """The hint of a message about a word that is not in `known`.

    It names up to three similar words; if there are none, all of a few words or the nearest of
    many.
    `see`: the command that lists them.

    >>> print(did_you_mean("colums", ["rows", "columns"]))
    did you mean 'columns'?
    >>> print(did_you_mean("x", ["rows", "columns"], see="fastscale list"))
    known are rows, columns (see `fastscale list`)
    """
    from difflib import SequenceMatcher

    text = str(word)[:80].lower()  # comparing megabytes would take forever
    score = {k: SequenceMatcher(None, text, k.lower()).ratio() for k in known}
    ranked = sorted(score, key=lambda k: -score[k])
    near = [repr(k) for k in ranked[:_NEAREST] if score[k] >= _NEAR]
    if near:
        hint = f"did you mean {' or '.join(filter(None, [', '.join(near[:-1]), near[-1]]))}?"
    elif len(ranked) <= _FEW:
        hint = f"known are {', '.join(score) or 'none'}"
    else:
        hint = f"nearest are {', '.join(ranked[:_NEAREST])}"
    return f"{hint} (see `{see}`)" if see else hint
