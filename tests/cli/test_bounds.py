"""A command refuses an absurd network in one line, wherever it is named."""

import json
import time

import pytest

from fastscale.cli import main


@pytest.mark.parametrize("verb", ["info", "predict", "export", "evaluate"])
def test_a_checkpoint_or_name_on_the_command_line(verb, tmp_path, capsys):
    import torch

    from fastscale.training.recipe import Recipe

    settings = {"arch": "regnety-4gf.dWr-x1000000", "recipe": Recipe().as_dict(), "seed": 0}
    settings |= {"num_classes": 3, "mean": [1.0] * 3, "std": [1.0] * 3}
    path = tmp_path / "last.ckpt"
    torch.save({"hyper_parameters": settings, "state_dict": {}}, path)
    (tmp_path / "a.png").write_bytes(b"")
    argv = {
        "info": ["info", settings["arch"]],
        "predict": ["predict", str(tmp_path / "a.png"), "--checkpoint", str(path)],
        "export": ["export", str(path), str(tmp_path / "a.onnx")],
        "evaluate": ["evaluate", str(path)],
    }[verb]
    start = time.monotonic()
    code = main(argv)
    err = capsys.readouterr().err
    assert code == 2 and "to 100,000, got" in err and err.count("\n") == 1, err
    assert time.monotonic() - start < 60 and json.dumps(err)
