"""The exported file, run by its own runtime, gives the network's outputs for any number of images."""

import pytest
import torch

import fastscale as fs
from fastscale import cli
from fastscale.release import export
from fastscale.release.export import export_onnx, export_torch
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


# one ONNX export takes seconds: LITTLE has all that could go wrong with it, padding that depends on the size, SE, ReLU6, stride
@pytest.mark.parametrize(
    ("write", "run", "suffix", "arch", "side", "fused"),
    [
        (export_onnx, run_onnx, "onnx", LITTLE, 37, True),
        (export_torch, run_torch, "pt2", LITTLE, 37, True),
        (export_torch, run_torch, "pt2", "regnety-tiny", 32, False),
    ],
)
def test_the_file_gives_the_networks_outputs(tmp_path, write, run, suffix, arch, side, fused):
    net = network(arch, side)
    path = write(net, tmp_path / "sub" / f"net.{suffix}", resolution=side, fused=fused)
    assert [p.name for p in path.parent.iterdir()] == [
        f"net.{suffix}"
    ]  # nothing half, nothing beside it
    for count in (1, 3):
        images = torch.randn(count, 3, side, side)
        with torch.no_grad():
            torch.testing.assert_close(run(path, images), net(images), rtol=1e-4, atol=1e-4)


def test_unusable_input_is_said(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match="resolution 4 is too small for regnety-tiny: give at least 8"
    ):
        export_torch(network(), tmp_path / "x.pt2", resolution=4)
    with pytest.raises(ValueError, match="Linear: not a network"):
        export_torch(torch.nn.Linear(1, 1), tmp_path / "x.pt2")
    monkeypatch.setattr(export, "NEEDED_FOR_ONNX", ("onnx", "no_such_package"))
    with pytest.raises(
        ValueError, match="needs the Python packages no_such_package: pip install no_such_package"
    ):
        export_onnx(network(), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match=r"x.onnx: a file of --to torch ends in .pt2, as x.pt2"):
        export_torch(network(), tmp_path / "x.onnx")
    with pytest.raises(ValueError, match="is a folder; give the file to write"):
        export_torch(network(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fused", [True, False])
def test_the_callers_network_stays_as_and_where_it_was(tmp_path, fused):
    """In training mode, in double precision, on a GPU if there is one: the file is the same."""
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


def test_the_command_writes_the_file(tmp_path, monkeypatch, capsys):
    net = network()
    monkeypatch.setattr("fastscale.release.load.load", lambda name, weights: {"tiny": net}[name])
    assert cli.main(["export", "tiny", str(tmp_path / "tiny.pt2"), "--to", "torch"]) == 0
    assert "takes normalised RGB images" in capsys.readouterr().out
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            run_torch(tmp_path / "tiny.pt2", images), net(images), rtol=1e-4, atol=1e-4
        )
