"""`plan --data folder:PHOTOS` plans for that data set, with commands that train on it."""

import numpy as np
import pytest
from PIL import Image

from fastscale.cli import main


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two classes of six pictures in one folder."""
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "data"))
    noise = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            pixels = noise.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return f"folder:{tmp_path / 'photos'}"


def test_the_commands_train_on_the_photographs(capsys, photos):
    question = ["plan", "regnety-tiny", "--strategies", "dWr", "--data", photos]
    assert main([*question, "--params", "1M"]) == 0
    *_, train, check, export = capsys.readouterr().out.splitlines()
    network = train.split()[3]
    assert train == f"train:  fastscale fit {network} --data.source {photos}"
    folder = f"runs/{network}.photos-hundreds/seed0"
    assert check == f"check:  fastscale evaluate {folder}"
    assert export == f"export: fastscale export {folder} {network}.onnx"
    assert main([*question, "--params", "1M", "--recipe", "photos-thousands"]) == 0
    said = f"train:  fastscale fit --run {network}.photos-thousands --data.source {photos}\n"
    assert said in capsys.readouterr().out


def test_few_images_get_a_hint_to_trained_weights(capsys, photos):
    assert main(["plan", "regnety-tiny", "--data", photos, "--params", "1M"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "images are few: a network that starts from trained weights" in said
    assert f"fastscale plan --weights --data {photos}" in said
    assert main(["plan", "--weights", "lite0", "--data", photos, "--flops", "1G"]) == 0
    out = capsys.readouterr().out
    name = "efficientnet-lite/efficientnet-lite0"
    assert f"fastscale fit efficientnet-lite0 --weights {name} --data.source {photos}\n" in out
    assert "images are few" not in out and "runs/efficientnet-lite0.finetune-hundreds/seed0" in out


def test_a_missing_folder_is_one_line(capsys, tmp_path):
    source = f"folder:{tmp_path / 'no'}"
    assert main(["plan", "regnety-tiny", "--data", source, "--flops", "1G"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1
