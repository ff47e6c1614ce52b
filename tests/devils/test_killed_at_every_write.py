"""Killed before any of its writes and started again, each verb gives the same result.

The same weights, stores and drawn files, and one complete record per run. With
FASTSCALE_TEST_KILLS=all it is killed at every write (an hour), else at a spread of them.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.devils.commands import RUN, SHORT
from tests.devils.conftest import Made
from tests.devils.drawing import bytes_of, checkout, drawn

pytestmark = pytest.mark.slow
MOST = 12  # kills per verb, spread over its writes
MEASURED = ("_time_", "_per_s", "_share", "_mib", "date", "drift", "load", "time_s", "spread")


@dataclass(frozen=True)
class Verb:
    """A command to kill.

    `words(folder)`: its words. `prepare(folder, made)` prepares its folder. `left(folder)`: its
    result, without measured values. `kills`: how often it is killed.
    """

    words: Callable[[Path, Made], list[Any]]
    left: Callable[[Path], Any]
    prepare: Callable[[Path, Made], Any] = lambda folder, made: None
    order: Callable[[Path], dict[str, Any]] = lambda folder: {}
    kills: int = MOST


def without_measured(value: Any) -> Any:
    """A record's content without times and dates."""
    if isinstance(value, dict):
        return {
            k: without_measured(v)
            for k, v in value.items()
            if not any(word in k for word in MEASURED)
        }
    return value


def records(path: Path) -> list[Any]:
    """The records of a file; every line must be complete."""
    return [without_measured(json.loads(line)) for line in path.read_text().splitlines()]


def run_left(folder: Path) -> Any:
    """Weights, record and settings of a run, and the names of its files."""
    runs = folder / "runs"
    own = runs / RUN / "seed0"
    content = torch.load(own / "last.ckpt", weights_only=True)
    (record,) = records(runs / "records.jsonl")
    assert records(own / "record.json") == [record]
    assert (own / "record.json").read_text() == (runs / "records.jsonl").read_text()
    return {
        "weights": {k: v.tolist() for k, v in content["state_dict"].items()},
        "step": (content["global_step"], content["epoch"], content.get("errors")),
        "record": record,
        "settings": (own / "settings.json").read_bytes(),
        "names": sorted(p.name for p in own.iterdir() if "tfevents" not in p.name),
    }


def fit_words(folder: Path, made: Made) -> list[Any]:
    own = ["--data.source", made.source, "--data.data_dir", made.home / "data"]
    return ["fit", "--run", RUN, "--runs_dir", folder / "runs", *own, *SHORT]


def write_words(folder: Path, made: Made) -> list[Any]:
    return ["data", "write", made.images, "--out", folder / "store", "--workers", "0"]


def store_left(folder: Path) -> Any:
    found: dict[str, Any] = bytes_of(folder / "store")
    for name in ("train.json", "val.json"):
        content = (folder / "store" / name).read_text().replace(str(folder), "")
        found[name] = {k: v for k, v in json.loads(content).items() if k != "modified_ns"}
    return found


def time_words(folder: Path, made: Made) -> list[Any]:
    quick = ["--rounds", "1", "--round_s", "0.001", "--batch", "2", "--classes", "4"]
    names = [
        "regnety-tiny",
        "regnety-tiny.d-x2",
        "--separate",
        "--device",
        "cpu",
        "--recipe",
        "quick",
    ]
    return ["time", *names, *quick, "--runs_dir", folder / "runs"]


def time_left(folder: Path) -> Any:
    """One record per network. The reference is timed at each start and not counted."""
    found = records(folder / "runs" / "records.jsonl")
    mine = [r for r in found if not r["run"].endswith(".reference")]
    assert len(mine) == len({r["run"] for r in mine}) == 2
    names = {p.name for p in (folder / "runs").iterdir()}
    return {"records": [(r["run"], sorted(r["values"])) for r in mine], "names": names}


def own_checkout(folder: Path) -> dict[str, Any]:
    return {"home": str(folder)}


def with_run(folder: Path, made: Made) -> None:
    shutil.copytree(made.run.parents[1], folder / "runs")


def publish_words(folder: Path, made: Made) -> list[Any]:
    own = ["--runs_dir", folder / "runs", "--out", folder / "released", "--data", made.source]
    data = ["--data.data_dir", made.home / "data", "--data.workers", "1"]
    return ["checkpoint", "publish", RUN, *own, *data]


VERBS = {
    "fit": Verb(fit_words, run_left),
    "data-write": Verb(write_words, store_left),
    "time": Verb(
        time_words,
        time_left,
        order=lambda folder: {"attributes": {"fastscale.timing.crew:METHODS": ("fork",)}},
        kills=6,
    ),
    "reproduce": Verb(
        lambda folder, made: ["reproduce", "table-1"], drawn, checkout, own_checkout, 3
    ),
    "reproduce-records": Verb(
        lambda folder, made: [folder],
        drawn,
        checkout,
        lambda folder: {"call": "tests.devils.drawing:draw_quick"},
        3,
    ),
    "publish": Verb(publish_words, lambda folder: bytes_of(folder / "released"), with_run),
    "report": Verb(
        lambda folder, made: ["report", "--out", folder / "page" / "report.html"],
        lambda folder: bytes_of(folder / "page"),
    ),
}


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 1 to `count`, the first and last included."""
    if count <= most or os.environ.get("FASTSCALE_TEST_KILLS") == "all":
        return list(range(1, count + 1))
    return sorted({1 + round(i * (count - 1) / (most - 1)) for i in range(most)})


@pytest.mark.parametrize("name", VERBS)
def test_killed_at_every_write(name, tmp_path, made, nursery):
    verb = VERBS[name]

    def run(folder, at=0):
        log = folder.with_suffix(".writes")
        order = {**verb.order(folder), "watched": str(folder), "log": str(log), "at": at}
        order.setdefault("variables", {})["FASTSCALE_CHECKPOINTS"] = str(folder / "released")
        order["variables"]["FASTSCALE_RUNS"] = str(folder / "runs")
        order["variables"]["FASTSCALE_DATA"] = str(folder / "data")
        return nursery.run(folder, *verb.words(folder, made), seconds=200, **order), log

    def fresh(label):
        folder = tmp_path / label
        folder.mkdir()
        verb.prepare(folder, made)
        return folder

    whole = fresh("whole")
    done, log = run(whole)
    assert done.code == 0, done
    writes = log.read_text().splitlines()
    assert writes, "nothing was written"
    wanted = verb.left(whole)
    killed = 0
    for at in spread(len(writes), verb.kills):
        folder = fresh(f"killed-{at}")
        cut, log = run(folder, at)
        where = (
            f"{name} killed before write {at} of {len(writes)}: {log.read_text().splitlines()[-1]}"
        )
        assert cut.code in (0, -signal.SIGKILL), f"{where}: {cut}"
        killed += cut.code != 0
        again, _ = run(folder)
        assert again.code == 0, f"{where}: the same command then fails: {again.err}"
        left = verb.left(folder)
        assert same(left, wanted, folder, whole), f"{where}: {difference(left, wanted)}"
        parts = [str(p) for p in folder.rglob("*") if ".part" in p.name or ".tmp" in p.name]
        assert not parts, f"{where}: left behind {parts}"
        shutil.rmtree(folder)
    assert killed, "it was never killed"


def same(left: Any, wanted: Any, folder: Path, whole: Path) -> bool:
    """Whether two results are equal, up to the folder's name."""
    own = {
        k: v.replace(bytes(folder), bytes(whole)) if isinstance(v, bytes) else v
        for k, v in left.items()
    }
    return own == wanted


def difference(left: Any, wanted: Any) -> str:
    """The keys and values in which two dictionaries differ."""
    keys = [k for k in {*left, *wanted} if left.get(k) != wanted.get(k)]
    return ", ".join(f"{k}: {str(left.get(k))[:200]} / {str(wanted.get(k))[:200]}" for k in keys)
