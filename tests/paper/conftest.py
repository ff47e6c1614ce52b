"""Synthetic records. Every measured number in them is made up here and means nothing."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from fastscale.counts import complexity
from fastscale.home import home, using_home
from fastscale.paper.artifacts import load_artifact
from fastscale.records import Record
from fastscale.scaling import arch_named

MADE_UP_ENV = {
    "device": "made-up processor",
    "device_type": "cpu",
    "threads": 2,
    "batch": 128,
    "date": "2020-01-01T00:00:00Z",
}
STEPS = 100


def _synthetic(seeds=(0, 1), timed=True, **env) -> list[Record]:
    """One record per quick run: error falls with flops, time is proportional to acts (made up)."""
    records = []
    runs = load_artifact("quick").runs
    order = list(dict.fromkeys(run.arch for run in runs))
    for run in runs:
        arch, index = arch_named(run.arch), order.index(run.arch)
        counts = complexity(arch, num_classes=10)
        common = {
            "arch": run.arch,
            "base": run.base,
            "strategy": run.strategy,
            "factor": run.factor,
            "resolution": arch.resolution,
            "num_classes": 10,
            "flops": counts.flops,
            "params": counts.params,
            "acts": counts.acts,
            "data": run.data,
            "data_hash": "made-up-data",
            "env": MADE_UP_ENV | env,
        }
        error = 20 - counts.flops / 1e6 + index % 3 + run.seed
        if run.seed in seeds:
            values = {
                "top1_error": error,
                "top1_error_ema": error - 0.5,
                "epoch_time_s": counts.acts / 1e4 + run.seed,
            }
            recipe = {
                "recipe": run.recipe,
                "recipe_hash": "made-up-recipe",
                "seed": run.seed,
                "epochs": 3,
            }
            records.append(Record(kind="train", run=run.run, values=values, **recipe, **common))
        if timed and run.seed == 0:
            step = counts.acts / 1e6
            values = {
                "step_time_s": step,
                "step_time_spread_s": step / 50,
                "epoch_time_min": step * STEPS / 60,
            }
            records.append(Record(kind="time", run=f"{run.arch}.time", values=values, **common))
    return records


@pytest.fixture(scope="session")
def synthetic_records():
    """The function that makes records: `synthetic_records(seeds=(0,), timed=False)`."""
    return _synthetic


def _measured(name: str, seeds=(), timed=True, recipe=None, data="imagenet", **env) -> list[Record]:
    """Records of a figure's networks: error falls with flops, time is proportional to acts."""
    records = []
    classes = 1000 if data == "imagenet" else 10
    plan = load_artifact(name).plan("full")
    for index, n in enumerate(plan.names()):
        arch = arch_named(n)
        counts = complexity(arch, num_classes=classes)
        common = {
            "arch": arch.name,
            "base": n.base,
            "strategy": n.strategy,
            "factor": n.factor,
            "resolution": arch.resolution,
        }
        common |= {
            "num_classes": classes,
            "flops": counts.flops,
            "params": counts.params,
            "acts": counts.acts,
            "data": data,
        }
        common |= {
            "env": MADE_UP_ENV
            | {"precision": "16-mixed", "layout": "channels_last", "compile": False}
            | env
        }
        own = recipe or plan.recipe
        for seed in seeds:
            values = {"top1_error": 30 - 2 * (counts.flops / 1e9) ** 0.5 + index % 3 / 5 + seed}
            fields = {"recipe": own, "recipe_hash": "made-up-recipe", "seed": seed, "epochs": 100}
            records.append(
                Record(kind="train", run=f"{arch.name}.{own}", values=values, **fields, **common)
            )
        if timed:
            step = counts.acts / 1e8
            values = {
                "step_time_s": step,
                "step_time_spread_s": step / 50,
                "epoch_time_min": 20 * step,
            }
            records.append(Record(kind="time", run=f"{arch.name}.time", values=values, **common))
    return records


@pytest.fixture(scope="session")
def measured():
    """The function that makes a figure's records: `measured("fig-4", seeds=(0,), device="x")`."""
    return _measured


@pytest.fixture
def synthetic(synthetic_records):
    """Short name of `synthetic_records`."""
    return synthetic_records


@pytest.fixture
def changed():
    """The function that copies records with changed fields of those that `which` selects."""

    def change(records, which, **fields):
        return [replace(record, **fields) if which(record) else record for record in records]

    return change


SMALL = ("quick", "table-1", "table-4", "published-counts", "fig-6")


def _copy(root: Path, only: tuple[str, ...] | None = None) -> Path:
    for part in (Path("configs") / "artifacts", Path("paper_figures") / "reference"):
        shutil.copytree(home().root / part, root / part)
    for path in (root / "configs" / "artifacts").glob("*.yaml"):
        if only is not None and path.stem not in only:
            path.unlink()
    return root


@pytest.fixture(scope="session")
def checkout_copier():
    """The function that copies the references and a few fast declarations into a folder."""
    return lambda root: _copy(root, SMALL)


@pytest.fixture
def stay_at():
    """The function that makes a folder the home for the rest of the test."""
    with ExitStack() as stack:
        yield lambda root: stack.enter_context(using_home(root)).root


@pytest.fixture
def checkout_copy(tmp_path, stay_at):
    """The function that makes a copy with every declaration the home of the test."""
    return lambda: stay_at(_copy(tmp_path / "checkout"))


@pytest.fixture
def small_copy(tmp_path, stay_at):
    """The function that makes a copy with a few declarations the home of the test."""
    return lambda: stay_at(_copy(tmp_path / "checkout", SMALL))
