"""Where files are: those that fastscale ships, writes and downloads.

In a checkout, `configs/`, `paper_figures/` and `checkpoints/` lie beside the package. A wheel
carries copies of the files that programs read in `fastscale/shipped/`, in the same layout
(setup.py), so one `root` serves both. Nothing is ever written into an installed package.

    home().recipes                      # the folder of recipes that ships with this package
    with using_home("other/checkout"):  # that of another checkout
        home().recipes
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastscale.errors import InputError

PACKAGE = Path(__file__).resolve().parent
SHIPPED = "shipped"  # the folder of an installed package that replaces the checkout
CLONE = "clone the repository of fastscale and run there"


@dataclass(frozen=True)
class Home:
    """The files of a checkout, or those that an installed package ships.

    Folders need not exist. `$FASTSCALE_CHECKPOINTS`, `$FASTSCALE_DATA` and `$FASTSCALE_RUNS` are
    read at each access.
    """

    root: Path
    installed: bool = False
    chosen: bool = False  # by `using_home`, instead of found from the package's own place

    # ---- files to read

    @property
    def recipes(self) -> Path:
        """Training recipes: <recipe>.yaml."""
        return self.root / "configs" / "recipes"

    @property
    def artifacts(self) -> Path:
        """Declared tables and figures: <artifact>.yaml."""
        return self.root / "configs" / "artifacts"

    @property
    def grids(self) -> Path:
        """Grids of timing sweeps: <grid>.yaml."""
        return self.root / "configs" / "timing"

    @property
    def references(self) -> Path:
        """Published numbers: <table>.csv."""
        return self.root / "paper_figures" / "reference"

    @property
    def records(self) -> Path:
        """Committed records: *.jsonl, and training curves in curves/."""
        return self.root / "paper_figures" / "records"

    def record_files(self) -> list[Path]:
        """The files of records by name: committed ones, replaced by those made in `figures`."""
        folders = (self.records, self.figures / "records")
        found = {path.name: path for folder in folders for path in folder.glob("*.jsonl")}
        return [found[name] for name in sorted(found)]

    def found(self, *parts: str) -> Path:
        """A file of paper_figures/ to read: the one made in `figures`, else the committed one."""
        made = self.figures.joinpath(*parts)
        return made if made.is_file() else self.root.joinpath("paper_figures", *parts)

    @property
    def checkpoints(self) -> Path:
        """Released checkpoints and their manifest: $FASTSCALE_CHECKPOINTS, else those shipped."""
        return _folder("FASTSCALE_CHECKPOINTS") or self.root / "checkpoints"

    @property
    def checkout(self) -> Path:
        """The root of a checkout. InputError, saying what to do, in an installed package."""
        if self.installed:
            raise InputError(f"this needs a checkout, and fastscale is installed: {CLONE}")
        return self.root

    # ---- files to write

    @property
    def figures(self) -> Path:
        """Where tables and figures go: paper_figures/ of the checkout if the current folder is in
        it, else paper_figures/ of the current folder."""
        here = Path.cwd()
        if self.chosen or (not self.installed and here.is_relative_to(self.root)):
            return self.root / "paper_figures"
        return here / "paper_figures"

    @property
    def runs(self) -> Path:
        """Runs and their records: $FASTSCALE_RUNS, else runs/ of the current folder."""
        return Path(os.environ.get("FASTSCALE_RUNS") or "runs")

    @property
    def data(self) -> Path:
        """Data sets and downloads: $FASTSCALE_DATA, else ~/.cache/fastscale."""
        return _folder("FASTSCALE_DATA") or (Path.home() / ".cache" / "fastscale").absolute()

    # ---- for messages

    def extra(self, name: str) -> str:
        """The command that installs an extra of the package: 'hub', 'cluster', 'ffcv'."""
        return (
            f"pip install 'fastscale[{name}]'" if self.installed else f"pip install -e '.[{name}]'"
        )


def _folder(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return Path(chosen).expanduser().absolute() if chosen else None


def _of_package() -> Home:
    shipped = PACKAGE / SHIPPED
    installed = shipped.is_dir()
    return Home(shipped if installed else PACKAGE.parent, installed)


_current = [_of_package()]


def home() -> Home:
    """The home of this package, or that of the innermost `using_home`."""
    return _current[-1]


@contextmanager
def using_home(root: str | os.PathLike[str]) -> Iterator[Home]:
    """In this block, the whole process works on the checkout at `root`.

    InputError if `root` is not a checkout: it must hold configs/artifacts.
    """
    chosen = Home(Path(root).expanduser().absolute(), chosen=True)
    if not chosen.artifacts.is_dir():
        raise InputError(f"{root}: no checkout of fastscale (it has no configs/artifacts)")
    _current.append(chosen)
    try:
        yield chosen
    finally:
        _current.remove(chosen)
