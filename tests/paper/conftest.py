"""Synthetic records of the quick plan. Every measured number in them is made up here, in the open, and stands for nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fastscale.counts import complexity
from fastscale.paper.artifacts import load_artifact
from fastscale.paper.places import checkout
from fastscale.records import Record
from fastscale.scaling import arch_named

MADE_UP_ENV = {"device": "made-up processor", "device_type": "cpu", "threads": 2, "batch": 128, "date": "2020-01-01T00:00:00Z"}
STEPS = 100


def _synthetic(seeds=(0, 1), timed=True, **env) -> list[Record]:
    """A record a run: error falls with flops, time is exactly proportional to acts. Both rules are made up."""
    records = []
    for index, run in enumerate(load_artifact("quick").runs):
        arch = arch_named(run.arch)
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
            values = {"top1_error": error, "top1_error_ema": error - 0.5, "epoch_time_s": counts.acts / 1e4 + run.seed}
            recipe = {"recipe": run.recipe, "recipe_hash": "made-up-recipe", "seed": run.seed, "epochs": 3}
            records.append(Record(kind="train", run=run.run, values=values, **recipe, **common))
        if timed and run.seed == 0:
            step = counts.acts / 1e6
            values = {"step_time_s": step, "step_time_spread_s": step / 50, "epoch_time_min": step * STEPS / 60}
            records.append(Record(kind="time", run=f"{run.arch}.time", values=values, **common))
    return records


@pytest.fixture(scope="session")
def synthetic_records():
    """The function that makes them: `synthetic_records(seeds=(0,), timed=False)`."""
    return _synthetic


@pytest.fixture
def synthetic(synthetic_records):
    """The same, for short."""
    return synthetic_records


@pytest.fixture
def changed():
    """A copy of records with some fields of those that `which` picks changed."""

    def change(records, which, **fields):
        return [replace(record, **fields) if which(record) else record for record in records]

    return change


def _copy(root: Path) -> Path:
    for part in (Path("configs") / "artifacts", Path("paper_figures") / "reference"):
        shutil.copytree(checkout() / part, root / part)
    return root


@pytest.fixture(scope="session")
def checkout_copier():
    """The function that copies what the paper room reads (declarations, references) into a folder."""
    return _copy


@pytest.fixture
def checkout_copy(tmp_path):
    """The function that makes such a copy where this test may change it."""
    return lambda: _copy(tmp_path / "checkout")
