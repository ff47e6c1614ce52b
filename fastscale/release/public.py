"""Public weights by name, `pycls/regnety-4gf.dds`: public.csv says where they are, and the top-1
error (%) that their makers published on ImageNet.

Nothing here imports torch: what there is can be listed in no time. `importing.known` loads them.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from fastscale.home import home
from fastscale.records import RecordStore

FILE = Path(__file__).with_name("public.csv")
PACKAGE = "package:"
PREFIXES = ("pycls/", "torchvision/", "efficientnet-lite/")  # what every known name starts with


@dataclass(frozen=True)
class Known:
    """One file of public weights. `url`: an address, or `package:<distribution>/<path in it>`; `sha256`: all, eight or no digits."""

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
        rows = list(csv.DictReader(file))
    return {row["name"]: Known(**{**row, "top1_error": float(row["top1_error"])}) for row in rows}  # type: ignore[arg-type]


def find_public(name: str) -> Known | None:
    """The weights of that name; those in packages by their network's name too (efficientnet-lite0)."""
    found = known_weights().get(name)
    return found or next((known for known in packaged() if known.arch == name), None)


def packaged() -> list[Known]:
    """Those that come in Python packages, the extra `lite`: no connection is needed to load them."""
    return [known for known in known_weights().values() if known.url.startswith(PACKAGE)]


def is_installed(known: Known) -> bool:
    """Whether the package that holds it is here."""
    try:
        metadata.distribution(known.url.removeprefix(PACKAGE).partition("/")[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def measured(known: Known) -> dict[str, float]:
    """Errors in % that were measured here, among all 1000 outputs, on the photographs of Imagenette
    (`images` of them); {} where none were."""
    file = home().records / "lite.jsonl"
    runs = {r.run: r for r in RecordStore(file).read()} if file.is_file() else {}
    record = runs.get(f"{known.name}.ffcv")
    return dict(record.values) if record is not None else {}
