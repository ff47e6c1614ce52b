"""A small table, written as Markdown, CSV, LaTeX or for a terminal; same values, same bytes.

A table holds values, not text. The CSV has every digit under a plain column name; the other formats
show rounded values under a header with the unit. An unmeasured value is None and stays blank. A
header with "flops" must also say "multiply-adds".
"""

import csv
import io
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

# the keys and headers of columns of counts
MEASURES = ("flops", "params", "acts")
COUNT_KEYS = {"flops": "flops_multiply_adds", "params": "params", "acts": "acts"}
COUNT_HEADERS = {"flops": "flops (multiply-adds)", "params": "params", "acts": "acts"}


@dataclass(frozen=True)
class Column:
    """One column: `key` names it in the CSV, `header` elsewhere; `show` formats a value."""

    key: str
    header: str
    show: Callable[[Any], str] = str
    right: bool = True  # alignment: numbers right, names left
    terminal: bool = True  # whether the terminal, which is narrow, shows it
    # if a value is a tuple, the suffixes of its parts in the CSV: mean for top1_error_mean
    parts: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A title, rows of raw values (None: not measured) under columns, and notes for the reader."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        for column in self.columns:
            if "flops" in column.header and "multiply-adds" not in column.header:
                raise ValueError(f"column {column.header!r} must say that flops are multiply-adds")
            if "flops" in column.key and "multiply_adds" not in column.key:
                raise ValueError(f"column {column.key!r} must say that flops are multiply_adds")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.name}: a row of {len(row)} values under {len(self.columns)} "
                    f"columns: {row}"
                )

    def shown(self) -> list[list[str]]:
        """The rows as formatted text."""
        return [
            [
                "" if value is None else column.show(value)
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]


def to_markdown(table: Table) -> str:
    """A GitHub table with its title above and its notes below."""
    lines = [f"### {table.title}", ""]
    lines.append("| " + " | ".join(_markdown(column.header) for column in table.columns) + " |")
    lines.append(
        "|" + "|".join("---:" if column.right else ":---" for column in table.columns) + "|"
    )
    lines += ["| " + " | ".join(_markdown(cell) for cell in row) + " |" for row in table.shown()]
    for note in table.notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Raw values: floats to ten digits, fractions as a/b, an empty field for None."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            f"{column.key}_{part}" if part else column.key
            for column in table.columns
            for part in column.parts or [""]
        ]
    )
    for row in table.rows:
        writer.writerow(
            [
                _raw(part)
                for column, value in zip(table.columns, row, strict=True)
                for part in _parts(column, value)
            ]
        )
    return out.getvalue()


def to_latex(table: Table) -> str:
    """A booktabs tabular in a table environment, for \\input."""
    align = "".join("r" if column.right else "l" for column in table.columns)
    lines = [
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\caption{{{_latex(table.title)}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
    ]
    lines.append(" & ".join(_latex(column.header) for column in table.columns) + r" \\")
    lines.append(r"\midrule")
    lines += [" & ".join(_latex(cell) for cell in row) + r" \\" for row in table.shown()]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip {_latex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def render_terminal(table: Table, width: int = 118) -> str:
    """Plain text of the columns that are for the terminal; notes are wrapped to `width`."""
    kept = [i for i, column in enumerate(table.columns) if column.terminal]
    columns = [table.columns[i] for i in kept]
    body = [[row[i] for i in kept] for row in table.shown()]
    sizes = [
        max(len(text) for text in [*re.split(r"[ -]", column.header), *(row[i] for row in body)])
        for i, column in enumerate(columns)
    ]
    heads = [
        textwrap.wrap(column.header, size + 1, break_long_words=False)
        for column, size in zip(columns, sizes, strict=True)
    ]
    sizes = [max([size, *map(len, head)]) for size, head in zip(sizes, heads, strict=True)]
    height = max(len(head) for head in heads)
    levels = list(zip(*([""] * (height - len(head)) + head for head in heads), strict=True))
    lines = [
        table.title,
        "",
        *(_line(level, sizes, columns) for level in levels),
        "  ".join("-" * size for size in sizes),
    ]
    lines += [_line(row, sizes, columns) for row in body]
    for note in table.notes:
        lines += ["", *textwrap.wrap(note, width, break_long_words=False)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _line(cells: Sequence[str], sizes: Sequence[int], columns: Sequence[Column]) -> str:
    return "  ".join(
        cell.rjust(size) if column.right else cell.ljust(size)
        for cell, size, column in zip(cells, sizes, columns, strict=True)
    )


def power(exponent: Fraction) -> str:
    """Growth with the factor s: `1`, `s`, `s^1/2`, `s^0.9`."""
    if exponent in (0, 1):
        return "s" if exponent else "1"
    return f"s^{share(exponent)}"


def share(value: Fraction) -> str:
    """A share or exponent as the paper writes it: a small fraction as a/b, tenths as decimals."""
    return (
        str(value) if value.denominator <= 6 and value.denominator != 5 else f"{float(value):.6g}"
    )


def signed(digits: int) -> Callable[[Any], str]:
    """Formats a difference with its sign and `digits` decimals; 0 is a bare `0`."""
    return lambda value: f"{value:+,.{digits}f}" if value else "0"


def fixed(digits: int) -> Callable[[Any], str]:
    """Formats a number with `digits` decimals and thousands separators."""
    return lambda value: f"{value:,.{digits}f}"


def scaled(unit: float, digits: int) -> Callable[[Any], str]:
    """Formats a number in multiples of `unit`, otherwise like `fixed`."""
    return lambda value: f"{value / unit:,.{digits}f}"


def times(value: float) -> str:
    """A growth: `x1.83`."""
    return f"x{value:.2f}"


def runs_shown(digits: int) -> Callable[[Any], str]:
    """Formats (mean, standard deviation, n) of runs; a single run (deviation None) as its value."""

    def show(value: tuple[float, float | None, int]) -> str:
        average, spread, runs = value
        return f"{average:.{digits}f}" + (
            f" ± {spread:.{digits}f} ({runs})" if spread is not None else ""
        )

    return show


def interval(value: tuple[float, float, float, int]) -> str:
    """A mean difference with its interval and the number of pairs: `+0.31 [-0.20, +0.82] (6)`."""
    mean, low, high, pairs = value
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] ({pairs})"


def _parts(column: Column, value: Any) -> Sequence[Any]:
    if not column.parts:
        return [value]
    return [None] * len(column.parts) if value is None else value


def _raw(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


_POWER = re.compile(r"\bs\^([0-9]+(?:[./][0-9]+)?)")


def _markdown(text: str) -> str:
    return _POWER.sub(r"s<sup>\1</sup>", text.replace("|", r"\|"))


def _latex(text: str) -> str:
    parts = _POWER.split(text)  # text and exponents alternate
    parts[::2] = [
        re.sub(r"([&%#_{}])", r"\\\1", part).replace("^", r"\^{}").replace("±", r"$\pm$")
        for part in parts[::2]
    ]
    parts[1::2] = [f"$s^{{{part}}}$" for part in parts[1::2]]
    return "".join(parts)
