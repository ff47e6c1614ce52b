"""The exported file, in its runtime, gives the network's outputs for any number of images."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import fastscale as fs
from fastscale import cli
from fastscale.release import export
from fastscale.release.export import export_onnx, export_torch
from fastscale.release.exported import ExportedNetwork
from fastscale.release.preprocess import Preprocessing
from fastscale.release.serving import resize_centre
from tests.parity import randomise

LITTLE = fs.EffNet(
    "little",
    32,
    32,
    (1, 2),
    (8, 16),
    (1, 4),
    (3, 5),
    (2, 2),
    8,
    32,
    activation="relu6",
    padding="same",
)


def network(arch="regnety-tiny", side=32):
    net = fs.build(arch, 10)
    randomise(net, torch.randn(8, 3, side, side, generator=torch.Generator().manual_seed(3)))
    return net


def run_onnx(path, images):
    import onnxruntime as runtime

    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


def run_torch(path, images):
    return torch.export.load(path).module()(images)


# One ONNX export takes seconds; LITTLE has everything that could go wrong: padding that depends on
# the size, SE, ReLU6, stride.
@pytest.mark.parametrize(
    ("write", "run", "suffix", "arch", "side", "fused"),
    [
        (export_onnx, run_onnx, "onnx", LITTLE, 37, True),
        (export_torch, run_torch, "pt2", LITTLE, 37, True),
    ],
)
def test_the_file_gives_the_networks_outputs(tmp_path, write, run, suffix, arch, side, fused):
    net = network(arch, side)
    path = write(net, tmp_path / "sub" / f"net.{suffix}", resolution=side, fused=fused)
    assert [p.name for p in path.parent.iterdir()] == [f"net.{suffix}"]  # no other files
    for count in (1, 3):
        images = torch.randn(count, 3, side, side)
        with torch.no_grad():
            torch.testing.assert_close(run(path, images), net(images), rtol=1e-4, atol=1e-4)


def test_unusable_input_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match="resolution 4 is too small for regnety-tiny: give at least 8"
    ):
        export_torch(network(), tmp_path / "x.pt2", resolution=4)
    with pytest.raises(ValueError, match="Linear: not a network"):
        export_torch(torch.nn.Linear(1, 1), tmp_path / "x.pt2")
    with pytest.raises(ValueError, match="of any size need the preprocessing inside"):
        export_torch(network(), tmp_path / "x.pt2", any_size=True)
    monkeypatch.setattr(export, "NEEDED_FOR_ONNX", ("onnx", "no_such_package"))
    with pytest.raises(
        ValueError, match=r"needs the Python package no_such_package: pip install .*\[onnx\]'"
    ):
        export_onnx(network(), tmp_path / "x.onnx")
    message = r"x.onnx: a file of --to torch ends in .pt2, for example x.pt2"
    with pytest.raises(ValueError, match=message):
        export_torch(network(), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="is a folder; give a file, for example"):
        export_torch(network(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fused", [True, False])
def test_the_callers_network_is_unchanged(tmp_path, fused):
    """In training mode, in double precision, on a GPU if there is one; the file is the same."""
    net, images = network(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = net(images)
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net.to(place, torch.float64).train()
    path = export_torch(net, tmp_path / "net.pt2", fused=fused)
    torch.testing.assert_close(run_torch(path, images), expected, rtol=1e-4, atol=1e-4)
    assert all(m.training for m in net.modules()) and {
        (p.device.type, p.dtype) for p in net.parameters()
    } == {(place.type, torch.float64)}


@pytest.fixture
def photos(tmp_path):
    """Photographs larger than the network's images, not square, and of different sizes."""
    numbers = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(2)]
    for i, file in enumerate(files):
        pixels = numbers.integers(0, 256, (90 + 20 * i, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return files


def classes_of(capsys, photos, checkpoint):
    argv = ["predict", *map(str, photos), "--checkpoint", str(checkpoint), "--json"]
    assert cli.main(argv) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("file", "options", "takes"),
    [
        ("any.onnx", ["--any-size"], "uint8 RGB images (N, H, W, 3) of any size"),
        ("fixed.pt2", [], "uint8 RGB images (N, 32, 32, 3)"),
    ],
)
def test_a_file_predicts_what_its_checkpoint_does(
    release, tmp_path, capsys, photos, file, options, takes
):
    name, path = release()[0].short, tmp_path / "out" / file
    assert cli.main(["export", name, str(path), *options]) == 0
    said = capsys.readouterr().out.splitlines()
    gives = "gives logits and probabilities of 3 classes (blue, green, red)"
    assert said[0].endswith(f"takes {takes}, {gives}")
    assert "checked with" in said[1] and said[2].endswith(f"--checkpoint {path}")
    wanted, found = (classes_of(capsys, photos, what) for what in (name, path))
    for of_image, of_file in zip(wanted, found, strict=True):
        assert [t["class"] for t in of_image["top"]] == [t["class"] for t in of_file["top"]]
        shares = [[t["probability"] for t in f["top"]] for f in (of_image, of_file)]
        assert shares[0] == pytest.approx(shares[1], abs=1e-4)
    about = ExportedNetwork(path).about
    assert about["classes"] == ["blue", "green", "red"] and about["data"] == "colours"
    assert about["preprocessing"]["mean"] == [120.0, 110.0, 100.0]


def test_a_file_with_different_outputs_is_not_written(release, tmp_path, capsys, monkeypatch):
    name = release()[0].short
    monkeypatch.setattr(ExportedNetwork, "logits", lambda self, images: np.ones((len(images), 3)))
    assert cli.main(["export", name, str(tmp_path / "x.pt2")]) == 2
    err = capsys.readouterr().err
    assert "not exported: with torch" in err and err.count("\n") == 1
    assert not (tmp_path / "x.pt2").exists()


def test_files_of_others_are_refused(tmp_path, capsys, photos):
    for name in ("bad.onnx", "bad.pt2", "gone.onnx"):
        if name != "gone.onnx":
            (tmp_path / name).write_bytes(b"no program")
        assert cli.main(["predict", str(photos[0]), "--checkpoint", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and name in err


@pytest.mark.parametrize(
    ("resolution", "whole", "height", "width"),
    [(32, 36, 50, 61), (33, 37, 200, 41), (24, 24, 24, 30), (7, 8, 3, 1), (32, 36, 20, 25)],
)
def test_the_files_crop_equals_the_loaders(resolution, whole, height, width):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    wanted = Preprocessing(resolution, whole, (0, 0, 0), (1, 1, 1)).pixels(pixels)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    found = resize_centre(images, resolution, whole)[0].permute(1, 2, 0).numpy()
    differs = np.abs(found - wanted)
    assert differs.max() <= 1  # of 255, where the order of additions decides the rounding
    if min(height, width) * resolution // whole >= resolution:
        assert (differs > 0).mean() < 0.01
