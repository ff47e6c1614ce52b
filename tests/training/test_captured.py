"""The captured step's code, run uncaptured, makes the weights of the plain step bit for bit."""

import pytest
import torch

from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint

RUN = "regnety-tiny.wg-x2.quick"
ALIKE = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "train_loss", "errors")


def same(one, other):
    """Nested values, tensors to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (
            {"mixup": 0.2, "cutmix": 1.0, "accumulate": 2, "lr_every": "step", "ema_every": 3},
            ["--trainer.gradient_clip_val", "0.5", "--model.recipe.label_smoothing", "0.1"],
        ),
        (
            {"mixup": 0, "lr_every": "epoch", "ema_every": 1, "precise_bn": 16},
            ["--trainer.gradient_clip_val", "0.01", "--trainer.gradient_clip_algorithm", "value"]
            + ["--trainer.precision", "bf16-mixed"],
        ),
    ],
)
def test_the_same_weights(fit_here, tmp_path, recipe, options):
    """Weights, averages, momentum, schedule, Lightning's counters, loss and errors."""
    ends, records = [], []
    for mode in ("off", "on"):
        assert fit_here(tmp_path / mode, *options, "--cuda-graph", mode, **recipe) == 0
        ends.append(read_checkpoint(tmp_path / mode / RUN / "seed0"))
        records += RecordStore(tmp_path / mode / "records.jsonl").read()
    plain, captured = ends
    for key in ALIKE:
        assert same(plain[key], captured[key]), key
    settings = [(tmp_path / m / RUN / "seed0" / "settings.json").read_text() for m in ("off", "on")]
    assert settings[0] == settings[1]
    assert "cuda_graph" not in records[0].env and records[1].env["cuda_graph"] == "uncaptured"
