"""A run's folder: who may write in it, what it is a run of, and whether it is finished.

runs/<run>/seed<k>/ holds settings.json, last.ckpt, TensorBoard's event files and, when the run is finished, record.json.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fastscale.errors import InputError
from fastscale.records import Record


class RunFolder:
    """`path` may not exist yet."""

    def __init__(self, runs_dir: str | os.PathLike, run: str, seed: int):
        self.run, self.seed = run, seed
        # alpha=2/3 is one name, not two folders
        self.path = Path(runs_dir) / run.replace("/", "-over-") / f"seed{seed}"

    @property
    def checkpoint(self) -> Path:
        """The last epoch's state."""
        return self.path / "last.ckpt"

    @property
    def record(self) -> Record | None:
        """The finished run's record; None while it is not finished."""
        file = self.path / "record.json"
        try:
            return Record.from_json(file.read_text()) if file.is_file() else None
        except InputError as error:
            raise InputError(f"{file}: {error}; remove it to train the run again") from None

    def finish(self, record: Record) -> None:
        """Marks the run as finished."""
        write_atomically(self.path / "record.json", record.to_json() + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other process out; InputError if one is in already. A killed process's lock is released by the system."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise InputError(
                f"{self.path}: another process is training this run; wait for it, or give another --seed_everything"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def claim(self, settings: dict[str, Any], restart: bool = False) -> None:
        """Notes what this folder is a run of; InputError if it already is one of something else, unless it may be thrown away."""
        settings = json.loads(json.dumps(settings))
        file = self.path / "settings.json"
        if restart:
            self.clear()
        elif file.is_file():
            try:
                there = json.loads(file.read_text())
            except ValueError:
                raise InputError(
                    f"{file}: damaged; give --restart to begin this run anew"
                ) from None
            if changed := ", ".join(sorted(differences(there, settings))):
                raise InputError(
                    f"{self.path}: holds a run with other settings ({changed}); give --restart to replace it, or another --runs_dir"
                )
        write_atomically(file, json.dumps(settings, indent=1) + "\n")

    def clear(self) -> None:
        """Removes what a former run left."""
        for file in self.path.iterdir():
            if file.is_file() and file.name != ".lock":
                file.unlink()


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the entries in which two nested dictionaries differ."""
    found = []
    for k in {*a, *b}:
        x, y = a.get(k), b.get(k)
        if isinstance(x, dict) and isinstance(y, dict):
            found += differences(x, y, f"{prefix}{k}.")
        elif x != y:
            found.append(prefix + k)
    return found


def progress(folder: Path) -> float:
    """How much of the run in `folder` its last checkpoint holds, 0 to 1."""
    try:
        found = json.loads((folder / "progress.json").read_text())
        return min(1.0, found["step"] / max(1, found["steps"]))
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def write_atomically(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
