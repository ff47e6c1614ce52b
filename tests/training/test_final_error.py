"""The recorded error is that of the saved weights, after the epochs that the record names."""

import pytest
import torch

from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier
from fastscale.training.evaluate import evaluate

pytestmark = pytest.mark.slow
RUN = "regnety-tiny.wg-x2.quick"
STOP = "--trainer.callbacks"


def ends(runs, source):
    """(record, checkpoint) of the run; its errors are those of `evaluate` on the file."""
    (record,) = RecordStore(runs / "records.jsonl").read()
    folder = runs / RUN / "seed0"
    errors = {k: v for k, v in record.values.items() if "error" in k}
    content = read_checkpoint(folder)
    assert content["errors"] == errors == evaluate(folder, source, [])
    return record, content


@pytest.mark.parametrize(
    ("options", "recipe"),
    [
        (["--trainer.val_check_interval", "0.4"], {"lr": 0.01}),
        (["--trainer.check_val_every_n_epoch", "2"], {"epochs": 3, "lr": 0.01, "precise_bn": 32}),
        (["--trainer.val_check_interval", "7"], {"epochs": 1, "lr": 0.01}),
    ],
)
def test_any_validation_schedule(fit_here, source, tmp_path, monkeypatch, options, recipe):
    assert fit_here(tmp_path / "cut", *options, **recipe) == 0
    assert fit_here(tmp_path / "whole", **recipe) == 0
    record, content = ends(tmp_path / "cut", source)
    other, whole = ends(tmp_path / "whole", source)
    assert (record.epochs, record.early) == (recipe.get("epochs", 2), False)
    names = [
        k
        for k in whole["state_dict"]
        if k.startswith("net.") and "running" not in k and "num_batches" not in k
    ]
    assert all(torch.equal(content["state_dict"][k], whole["state_dict"][k]) for k in names)
    if "precise_bn" not in recipe:  # precise statistics are computed from other crops
        assert {k: v for k, v in record.values.items() if "error" in k} == {
            k: v for k, v in other.values.items() if "error" in k
        }


def test_a_run_that_stopped_early_says_so(fit_here, source, tmp_path):
    """Also if it died before its record: the next process trains no more epochs."""
    options = [STOP, "EarlyStopping", f"{STOP}.monitor", "top1_error", f"{STOP}.patience", "1"]
    for more in ([], ["--trainer.val_check_interval", "0.5"]):
        runs = tmp_path / f"runs{len(more)}"
        assert fit_here(runs, *options, *more, epochs=9) == 0
        record, content = ends(runs, source)
        assert record.early and record.env["finished"] == "early"
        assert record.epochs == record.env["steps"] // 18 < 9
        assert record.env["steps"] == content["global_step"]
        (runs / RUN / "seed0" / "record.json").unlink()
        (runs / "records.jsonl").unlink()
        assert fit_here(runs, *options, *more, epochs=9) == 0
        again, _ = ends(runs, source)
        same = {"epochs", "early", "recipe_hash", "seed"}
        assert all(getattr(again, k) == getattr(record, k) for k in same)
        assert {**again.values, "peak_memory_mib": 0} == {**record.values, "peak_memory_mib": 0}


def test_logits_that_are_not_finite_are_no_score(fit_here, source, tmp_path, capsys, monkeypatch):
    """If only logits are not finite, the error names the batch."""
    original = ImageClassifier.normalise

    def normalise(self, images):
        out = original(self, images)
        return out if self.training else out * float("nan")

    monkeypatch.setattr(ImageClassifier, "normalise", normalise)
    assert fit_here(tmp_path, epochs=1) == 1
    err = capsys.readouterr().err
    assert "logits that are not finite, first in validation batch 0" in err
    assert not (tmp_path / "records.jsonl").exists()
