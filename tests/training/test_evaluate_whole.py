"""`evaluate` and `publish` report the error of the checkpoint's network on all images, or none."""

import pytest

from fastscale.cli import main

PARTS = {
    "limit_val_batches": ("2", "0.5", "0"),
    "fast_dev_run": ("true", "3"),
    "overfit_batches": ("1", "0.5"),
}


@pytest.fixture
def folder(fit_here, tmp_path, capsys):
    assert fit_here(tmp_path / "runs", epochs=1, lr=0.001) == 0
    capsys.readouterr()
    return tmp_path / "runs" / "regnety-tiny.wg-x2.quick" / "seed0"


def test_options_that_leave_images_out(folder, tmp_path, capsys):
    publish = ["checkpoint", "publish", str(folder), "--out", str(tmp_path / "out")]
    for name, values in PARTS.items():
        for value in values:
            for words in (["evaluate", str(folder)], publish):
                assert main([*words, f"--trainer.{name}", value]) == 2
                out, err = capsys.readouterr()
                assert err.count("\n") == 1 and f"--trainer.{name} would leave images out" in err
                assert not out and not (tmp_path / "out").exists()
    assert main(["evaluate", str(folder), "--trainer.barebones", "true"]) == 2
    assert "without its result" in capsys.readouterr().err
    found = []
    for same in ([], ["--trainer.limit_val_batches", "1.0"], ["--model.recipe.batch_size", "5"]):
        assert main(["evaluate", str(folder), *same]) == 0
        found.append(capsys.readouterr().out)
    assert found[1:] == found[:1] * 2


def test_options_without_an_effect(folder, capsys):
    """The network is the checkpoint's, and nothing is trained."""
    assert main(["evaluate", str(folder), "--model.recipe.lr", "3"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert "--model.recipe.lr has no effect on an evaluation: leave it out" in err


def test_another_network_than_the_checkpoints(folder, capsys):
    """Without an error it would only change the resolution."""
    assert main(["evaluate", str(folder), "--model.arch", "regnety-tiny.r-x4"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert "of regnety-tiny.wg-x2, --model.arch says regnety-tiny.r-x4" in err
