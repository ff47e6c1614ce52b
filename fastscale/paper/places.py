"""Where the declared artifacts, the references and what is drawn from them lie: in a checkout, beside the package."""

import csv
from pathlib import Path

from fastscale.errors import InputError

# Two writers of the same text must give the same bytes on every system.
NEWLINE = "\n"


def checkout(root: Path | None = None) -> Path:
    """The root of the checkout that the package lies in (or `root`). Raises InputError where there is none."""
    root = root or Path(__file__).resolve().parents[2]
    if not (root / "configs" / "artifacts").is_dir():
        raise InputError("tables and figures are made in a checkout of fastscale; clone the repository and run there")
    return root


def reference(name: str, root: Path | None = None) -> list[dict[str, str]]:
    """The rows of `paper_figures/reference/<name>.csv`, every field a text as it was published."""
    path = checkout(root) / "paper_figures" / "reference" / f"{name}.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path.name}: cannot read the reference points ({error.strerror}); restore paper_figures/reference") from None


def write_text(path: Path, text: str) -> Path:
    """Writes UTF-8 text with plain newlines, its folder made when needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline=NEWLINE)
    return path
