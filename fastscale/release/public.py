"""Public weights by name, such as `pycls/regnety-4gf.dds`.

public.csv has their addresses and the top-1 errors (%) on ImageNet that their authors published.
Nothing here imports torch, so listing is fast. `importing.known` loads them.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from fastscale.home import home
from fastscale.records import RecordStore

FILE = Path(__file__).with_name("public.csv")
PACKAGE = "package:"
PREFIXES = ("pycls/", "torchvision/", "efficientnet-lite/")  # every known name starts with one


@dataclass(frozen=True)
class Known:
    """One file of public weights.

    `url`: an address, or `package:<distribution>/<path in it>`; `sha256`: all, eight or no digits.
    """

    name: str
    format: str
    arch: str
    url: str
    sha256: str
    top1_error: float
    licence: str


@cache
def known_weights() -> dict[str, Known]:
    """Every row by its name."""
    with open(FILE, newline="", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    return {row["name"]: Known(**{**row, "top1_error": float(row["top1_error"])}) for row in rows}


def find_public(name: str) -> Known | None:
    """The weights of that name or None; the network's name is enough for those in packages."""
    found = known_weights().get(name)
    return found or next((known for known in packaged() if known.arch == name), None)


def packaged() -> list[Known]:
    """The weights in Python packages (the extra `lite`), which load without a connection."""
    return [known for known in known_weights().values() if known.url.startswith(PACKAGE)]


def is_installed(known: Known) -> bool:
    """Whether its package is installed."""
    try:
        metadata.distribution(known.url.removeprefix(PACKAGE).partition("/")[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def measured(known: Known) -> dict[str, float]:
    """Our measured errors in % on Imagenette's photographs, with all 1000 outputs; {} without any.

    `images`: how many photographs.
    """
    file = home().records / "lite.jsonl"
    runs = {r.run: r for r in RecordStore(file).read()} if file.is_file() else {}
    record = runs.get(f"{known.name}.ffcv")
    return dict(record.values) if record is not None else {}
