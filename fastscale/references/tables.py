"""Reads the tables of published numbers, paper_figures/reference/*.csv, and checks every field."""

import csv
import io
import math
from fractions import Fraction
from functools import lru_cache

from fastscale.common import read_text
from fastscale.errors import InputError
from fastscale.home import home

RESTORE = "restore paper_figures/reference"  # the fix for a damaged table
# types of the columns of each file; one in brackets may be blank, for what was not published
_COLUMNS = {
    "correlations": {"text": "figure networks measure source", "number": "pearson_r"},
    "definitions": {
        "text": "network definition known_by",
        "whole": "resolution",
        "number": "flops_b params_m acts_m",
    },
    "paper_points": {
        "text": "artifact family base strategy target how source",
        "whole": "[epochs] resolution",
        "number": "flops_b params_m [acts_m] [epoch_time_min] [top1_error]",
    },
    "pycls_zoo": {
        "text": "model",
        "whole": "train_resolution test_resize flops params acts batch_total gpus",
        "number": "train_step_s epoch_time_min infer_ms_64_images_1gpu top1_error top5_error",
    },
    "tables": {
        "text": "table strategy source",
        "fraction": "[alpha] e_d e_w e_r flops params acts",
    },
    "timm_benchmarks": {
        "text": "source mode precision layout torch device compiled model",
        "whole": "resolution",
        "number": "batch images_per_s [gmacs] [macts] params_m",
    },
}
_MEANT = {
    "text": "a text",
    "whole": "a whole number above 0",
    "number": "a number above 0",
    "fraction": "a fraction of at least 0",
}


def reference(name: str) -> list[dict[str, str]]:
    """The rows of `<name>.csv`, every field as published text.

    InputError naming file, line and column of a field of the wrong type.

    >>> reference("tables")[0]["acts"]
    '1'
    """
    return [dict(row) for row in parsed(name, text_of(name))]


def text_of(name: str) -> str:
    """The text of `<name>.csv`, by which parsed rows are cached. InputError if it is unreadable."""
    path = home().references / f"{name}.csv"
    try:
        return read_text(path)
    except OSError as error:
        raise InputError(
            f"{path.name}: cannot read the reference points ({error.strerror}); {RESTORE}"
        ) from None
    except InputError as error:
        raise InputError(f"{error}; {RESTORE}") from None


@lru_cache(maxsize=16)
def parsed(name: str, content: str) -> tuple[dict[str, str], ...]:
    """The checked rows of a table's text. Cached, so callers must not change them."""
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    kinds = {column: kind for kind, columns in _COLUMNS[name].items() for column in columns.split()}
    expected = {column.strip("[]") for column in kinds}
    try:
        if missing := sorted(expected - set(reader.fieldnames or ())):
            raise InputError(f"{name}.csv, line 1: no column {missing[0]!r}; {RESTORE}")
        found = []
        for row in reader:
            for column, kind in kinds.items():
                plain = column.strip("[]")
                text = row[plain]
                if text is None or not (_is(kind, text) or (text == "" and column != plain)):
                    where = f"{name}.csv, line {reader.line_num}, column {plain}"
                    raise InputError(f"{where}: {text or ''!r} is not {_MEANT[kind]}; {RESTORE}")
            if None in row:
                raise InputError(
                    f"{name}.csv, line {reader.line_num}: more fields than columns; {RESTORE}"
                )
            found.append(row)
    except csv.Error as error:
        raise InputError(f"{name}.csv, line {reader.line_num}: {error}; {RESTORE}") from None
    return tuple(found)


def _is(kind: str, text: str) -> bool:
    if kind == "text":
        return bool(text.strip())
    try:
        if kind == "fraction":
            return Fraction(text) >= 0
        value = int(text) if kind == "whole" else float(text)
    except (ValueError, ZeroDivisionError):
        return False
    return value > 0 and math.isfinite(value)
