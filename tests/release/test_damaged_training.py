"""A damaged or forged training checkpoint is refused in one line that names the problem."""

import copy

import pytest
import torch

import fastscale as fs
from fastscale.errors import InputError
from fastscale.release.load import open_checkpoint
from fastscale.training.recipe import Recipe

FIRST = "net.stem.conv.weight"


@pytest.fixture(scope="module")
def content(tiny):
    """A complete checkpoint, as written by `fastscale fit`."""
    weights = {
        f"{kind}.{name}": tensor for kind in ("net", "ema") for name, tensor in tiny[1].items()
    }
    settings = {
        "arch": "regnety-tiny",
        "recipe": Recipe(ema_rate=0.0).as_dict(),
        "num_classes": 3,
        "seed": 0,
    }
    settings |= {"mean": [120.0, 110.0, 100.0], "std": [60.0, 61.0, 62.0]}
    return {
        "state_dict": weights,
        "hyper_parameters": settings,
        "trained_with": {"classes": ["a", "b", "c"], "loader": "plain"},
    }


def put(where, name, value):
    return lambda c: c[where].__setitem__(name, value)


def setting(name, value):
    return put("hyper_parameters", name, value)


def weight(change):
    return lambda c: c["state_dict"].__setitem__(FIRST, change(c["state_dict"][FIRST]))


@pytest.mark.parametrize("precision", [32, "16-mixed", None])
def test_lightnings_precision_becomes_a_text(content, tmp_path, precision):
    more = {**content["trained_with"], "precision": precision}
    torch.save({**content, "trained_with": more}, tmp_path / "a.ckpt")
    assert open_checkpoint(tmp_path / "a.ckpt").about.precision == (
        None if precision is None else str(precision)
    )


def test_a_complete_one_loads(content, tiny, tmp_path):
    torch.save(content, tmp_path / "a.ckpt")
    assert all(
        torch.equal(v, tiny[1][k]) for k, v in fs.load(tmp_path / "a.ckpt").state_dict().items()
    )


SPOILT = {
    "no mean": (
        lambda c: c["hyper_parameters"].pop("mean"),
        "its mean should be a number each of R, G, B",
    ),
    "mean None": (setting("mean", None), "its mean should be"),
    "mean too large": (setting("mean", [10**400, 1, 1]), "its mean should be"),
    "mean NaN": (setting("mean", [float("nan"), 1, 1]), "its mean should be"),
    "std 0": (setting("std", [0, 1, 1]), "its std should be"),
    "recipe {}": (setting("recipe", {}), "its recipe should be settings by name"),
    "recipe []": (setting("recipe", []), "its recipe should be settings by name"),
    "recipe of tensors": (
        setting("recipe", {"ema_rate": torch.zeros(2)}),
        "its recipe should be settings by name",
    ),
    "recipe of no type": (setting("recipe", {"ema_rate": "x"}), "a setting has the wrong type"),
    "recipe of other names": (
        setting("recipe", {"ema_rate": 0.0, "nothing": 1}),
        "no setting is named 'nothing'",
    ),
    "lr too large": (
        setting("recipe", {"ema_rate": 0.0, "lr": 10**400}),
        "its recipe should be settings by name",
    ),
    "arch 3": (setting("arch", 3), "its arch should be a network's name"),
    "num_classes True": (setting("num_classes", True), "its num_classes should be 1 to 1,000,000"),
    "no seed": (lambda c: c["hyper_parameters"].pop("seed"), "its seed should be a whole number"),
    "hyper_parameters 3": (lambda c: c.update(hyper_parameters=3), "names no arch and recipe"),
    "hyper_parameters a list": (
        lambda c: c.update(hyper_parameters=["arch", "recipe", "num_classes"]),
        "names no arch and recipe",
    ),
    "state_dict a list": (
        lambda c: c.update(state_dict=[1]),
        "its state_dict should be tensors by name",
    ),
    "state_dict by numbers": (
        lambda c: c["state_dict"].update({3: torch.zeros(1)}),
        "its state_dict should be tensors by name",
    ),
    "trained_with None": (
        lambda c: c.update(trained_with=None),
        "its trained_with should be settings by name",
    ),
    "classes 3": (put("trained_with", "classes", 3), "its classes should be a list of names"),
    "classes of numbers": (
        put("trained_with", "classes", [1, 2, 3]),
        "its classes should be a list of names",
    ),
    "loader 3": (put("trained_with", "loader", 3), "its loader should be a text"),
    "epoch a text": (lambda c: c.update(epoch="1"), "its epoch should be a whole number"),
    "no tensor": (weight(lambda t: 3), f"'{FIRST}' in its state_dict is no tensor but int"),
    "sparse": (weight(lambda t: t.to_sparse()), "is no ordinary tensor in memory .sparse_coo"),
    "meta": (weight(lambda t: t.to("meta")), "is no ordinary tensor in memory .strided, meta"),
    "complex": (
        weight(lambda t: t.to(torch.complex64)),
        "is of type complex64, wanted floats or int64",
    ),
    "NaN": (weight(lambda t: t * float("nan")), "'stem.conv.weight' holds NaN or infinity"),
    "one number said to be many": (
        weight(lambda t: torch.zeros(1).expand(10**9)),
        "is larger than what the file holds of it",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_damaged_one_is_refused_in_one_line(content, tmp_path, what):
    spoil, message = SPOILT[what]
    bad = copy.deepcopy(content)
    spoil(bad)
    torch.save(bad, tmp_path / "bad.ckpt")
    with pytest.raises(InputError, match=message) as error:
        fs.load(tmp_path / "bad.ckpt")
    assert "\n" not in str(error.value) and "bad.ckpt" in str(error.value)
