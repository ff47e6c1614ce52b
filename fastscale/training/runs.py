"""A run's folder: who may write in it, which run it holds, and whether that is finished.

runs/<run>/seed<k>/ holds settings.json, last.ckpt, TensorBoard's event files and, once the run is
finished, record.json.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fastscale.archs.names import RunName, canonical
from fastscale.common import read_json, read_text, remove_stale, write_whole
from fastscale.errors import InputError
from fastscale.records import Record

MOST = 1 << 20  # bytes of a record or of settings


class RunFolder:
    """The folder of a run and its seed; `path` may not exist yet."""

    def __init__(self, runs_dir: str | os.PathLike, run: str | RunName, seed: int):
        self.run, self.seed = canonical(str(run)), seed
        self.path = _folder(Path(runs_dir), str(run)) / f"seed{seed}"

    @property
    def checkpoint(self) -> Path:
        """The file of the last saved state."""
        return self.path / "last.ckpt"

    @property
    def record(self) -> Record | None:
        """The finished run's record; None if it is not finished.

        InputError if it is damaged or belongs to another run.
        """
        file = self.path / "record.json"
        if not file.exists():
            return None
        try:
            record = Record.from_json(read_text(file, MOST))
        except InputError as error:
            raise InputError(f"{file}: {error}; remove it to train the run again") from None
        if record.run != self.run or record.seed not in (None, self.seed):
            raise InputError(
                f"{file}: the record of {record.run}, seed {record.seed}, not of {self.run}, "
                f"seed {self.seed}; remove it to train this run"
            )
        return record

    def finished(
        self, arch: str, recipe_hash: str, data: str, same_data: Callable[[str | None], bool]
    ) -> Record | None:
        """`record` if it is of this network, recipe and data; InputError if it is of others."""
        record = self.record
        if record is None:
            return None
        holds = {
            f"the network {record.arch}": record.arch == arch,
            f"other settings of the recipe {record.recipe}": record.recipe_hash == recipe_hash,
            f"the data {record.data}": record.data == data,
            "another kind or no seed": (record.kind, record.seed) == ("train", self.seed),
            "other images, labels or classes": same_data(record.data_hash),
        }
        if others := ", ".join(what for what, same in holds.items() if not same):
            raise InputError(
                f"{self.path / 'record.json'}: the record of a run with {others}; remove it to "
                "train this run, or give --restart"
            )
        return record

    def finish(self, record: Record) -> None:
        """Marks the run as finished."""
        write_whole(self.path / "record.json", record.to_json() + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process out; InputError if one is there already.

        The system releases the lock of a killed process.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{self.path}: another process is training this run; wait for it, or give another "
                "--seed_everything"
            ) from None
        try:
            remove_stale(self.path)
            yield
        finally:
            lock.release()

    def claim(
        self,
        settings: dict[str, Any],
        restart: bool = False,
        same_data: Callable[[str | None], bool] | None = None,
    ) -> None:
        """Writes the run's settings; InputError if the folder holds a run with other settings.

        `restart` removes that run. `same_data` compares a data_hash by its own scheme.
        """
        settings = json.loads(json.dumps(settings))
        file = self.path / "settings.json"
        if restart:
            self.clear()
        elif file.exists():
            there = self._settings(file)
            before = there.get("data_hash")
            if same_data is not None and before is not None and same_data(before):
                there["data_hash"] = settings["data_hash"]
            if isinstance(there.get("arch"), str):
                there["arch"] = canonical(there["arch"])
            if "stored" not in there and "stored" in settings:  # older settings lack it
                there["stored"] = settings["stored"]
            if changed := ", ".join(sorted(differences(there, settings))):
                raise InputError(
                    f"{self.path}: holds a run with other settings ({changed}); give --restart to "
                    "replace it, or another --runs-dir"
                )
        write_whole(file, json.dumps(settings, indent=1) + "\n")

    @property
    def loader(self) -> str | None:
        """The loader that the run in this folder began with; None if unknown.

        `claim` reports settings that cannot be read.
        """
        with suppress(InputError, OSError):
            found = self._settings(self.path / "settings.json").get("loader")
            return found if isinstance(found, str) else None
        return None

    @staticmethod
    def _settings(file: Path) -> dict[str, Any]:
        try:
            there = read_json(file, MOST)
        except InputError as error:
            raise InputError(f"{error}; give --restart to train this run from the start") from None
        if not isinstance(there, dict) or not isinstance(there.get("data_hash", ""), str | None):
            raise InputError(f"{file}: damaged; give --restart to train this run from the start")
        return there

    def clear(self) -> None:
        """Removes the files of an earlier run."""
        for file in self.path.iterdir():
            if (file.is_symlink() or file.is_file()) and file.name != ".lock":
                file.unlink()


def _folder(runs_dir: Path, run: str) -> Path:
    """The folder of a run, under an old spelling of its name if there is one."""
    for name in (run.replace("/", "-over-"), canonical(run)):
        if (runs_dir / name).is_dir():
            return runs_dir / name
    with suppress(OSError):
        for entry in os.scandir(runs_dir):
            if canonical(entry.name) == canonical(run):
                return runs_dir / entry.name
    return runs_dir / canonical(run)


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the entries that differ between two nested dictionaries."""
    found = []
    for k in {*a, *b}:
        x, y = a.get(k), b.get(k)
        if isinstance(x, dict) and isinstance(y, dict):
            found += differences(x, y, f"{prefix}{k}.")
        elif x != y:
            found.append(prefix + k)
    return found


def progress(folder: Path) -> float:
    """The share of the run in `folder` that its last checkpoint holds, 0 to 1."""
    try:
        found = read_json(folder / "progress.json", MOST)
        share = found["step"] / max(1, found["steps"])
        return min(1.0, max(0.0, float(share)))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0.0


def runs_here(runs_dir: str | os.PathLike) -> list[dict[str, Any]]:
    """A row for each seed of each run in a folder of runs.

    It has name, seed, state, errors in % of raw and averaged (EMA) weights, epochs, data and date.
    The state says what cannot be read.
    """
    rows = []
    for path in sorted(Path(runs_dir).glob("*/seed*/settings.json")):
        number = path.parent.name.removeprefix("seed")
        if not number.isdigit():
            continue
        run = path.parent.parent.name
        done = f"{progress(path.parent):.0%} done: the same fit resumes it"
        row: dict[str, Any] = {"run": run, "seed": int(number), "state": done}
        row |= dict.fromkeys(("top1_error", "top1_error_ema", "epochs", "data", "date"))
        rows.append(row)
        try:
            record = RunFolder(runs_dir, run, int(number)).record
        except InputError as error:
            row["state"] = f"damaged: {error}"
            continue
        if record is not None:
            row["state"] = "finished early" if record.early else "finished"
            errors = ("top1_error", "top1_error_ema")
            row |= {e: round(record.values[e], 2) for e in errors if e in record.values}
            row |= {"epochs": record.epochs, "data": record.data, "date": record.env["date"][:10]}
    return rows
