"""A made-up record of a network that does not exist."""

import pytest

from fastscale.records import Record


def _made_up(**changes) -> Record:
    content = {
        "kind": "train",
        "run": "toy.d-x2.short",
        "arch": "toy.d-x2",
        "base": "toy",
        "strategy": "d",
        "factor": 2.0,
        "resolution": 32,
        "num_classes": 10,
        "flops": 2000,
        "params": 300,
        "acts": 400,
        "data": "none-real",
        "data_hash": "abc",
        "recipe": "short",
        "recipe_hash": "def",
        "seed": 0,
        "epochs": 3,
        "values": {"top1_error": 12.5, "epoch_time_s": 3.0},
        "env": {"device": "toy cpu", "date": "2020-01-01T00:00:00Z", "threads": 2},
    }
    return Record(**{**content, **changes})


@pytest.fixture
def made_up():
    """A function that makes one: `made_up(seed=3)`."""
    return _made_up
