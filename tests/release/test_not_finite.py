"""Finite weights with non-finite outputs: `predict` and `export` name the layer."""

import json

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.models.finite import where_not_finite
from fastscale.release.checkpoint import to_bytes
from fastscale.release.export import export_onnx, export_torch

LAYERS = {  # weight that overflows -> first layer with non-finite outputs
    "head.fc.weight": "head.fc",
    "stages.2.0.conv1.weight": "stages.2.0.conv1",
}


@pytest.fixture
def overflowing(tiny, tmp_path):
    """overflowing(weight) -> a released file with a finite but far too large weight."""

    def make(name):
        about, weights = tiny
        changed = {**weights, name: torch.full_like(weights[name], 3e38)}
        path = tmp_path / "large.safetensors"
        path.write_bytes(to_bytes(about, changed))
        return path

    return make


@pytest.mark.parametrize("name", LAYERS)
def test_predict_names_the_layer_and_gives_no_class(name, overflowing, image_folder, capsys):
    path = overflowing(name)
    assert LAYERS[name] in dict(fs.load(path).named_modules())
    pictures = sorted((image_folder / "val" / "red").iterdir())[:2]
    for more in ([], ["--json"]):
        argv = ["predict", *map(str, pictures), "--checkpoint", str(path), *more]
        assert main(argv) == 2
        out, err = capsys.readouterr()
        assert not out
        for line, picture in zip(err.splitlines(), pictures, strict=True):
            wanted = f"the network's outputs are not finite numbers, from {LAYERS[name]} on"
            assert line == f"error: {picture}: {wanted}"


def test_a_good_picture_is_predicted_beside_a_bad_one(
    overflowing, image_folder, monkeypatch, capsys
):
    """Both are in one batch."""
    path = overflowing("head.fc.weight")
    real = torch.nn.Linear.forward

    def second_is_fine(self, x):
        logits = real(self, x)
        return torch.where(torch.arange(len(x))[:, None] == 1, torch.tensor([3.0, 1, 2]), logits)

    monkeypatch.setattr(torch.nn.Linear, "forward", second_is_fine)
    first, second = (str(image_folder / "val" / "red" / f"0{i}.png") for i in range(2))
    argv = ["predict", first, second, "--checkpoint", str(path), "--json", "--top", "1"]
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert [f["image"] for f in json.loads(out)] == [second]
    assert json.loads(out)[0]["top"][0]["class"] == "blue"
    assert len(err.splitlines()) == 1 and first in err


@pytest.mark.parametrize("name", LAYERS)
def test_export_refuses_it(name, overflowing, tmp_path, capsys):
    path, to = overflowing(name), tmp_path / "out" / "large.pt2"
    assert main(["export", str(path), str(to), "--to", "torch", "--unfused"]) == 2
    err = capsys.readouterr().err
    assert f"not finite numbers, from {LAYERS[name]} on: not a network to export" in err
    assert err.count("\n") == 1 and not to.parent.exists()
    with pytest.raises(InputError, match="not a network to export"):
        export_onnx(str(path), tmp_path / "large.onnx")
    assert not (tmp_path / "large.onnx").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["stem.conv.weight", "stages.1.0.norm2.running_var"])
def test_export_names_a_parameter_or_statistic(name, value, tmp_path):
    net = fs.build("regnety-tiny", 3).eval()
    net.state_dict()[name].view(-1)[0] = value
    with pytest.raises(InputError, match=f"{name} holds NaN or infinity"):
        export_torch(net, tmp_path / "net.pt2", fused=False)
    assert not list(tmp_path.iterdir())


def test_a_finite_network_passes():
    net = fs.build("regnety-tiny", 3).eval()
    images = torch.randn(2, 3, 32, 32)
    assert where_not_finite(net, images) is None
    with torch.no_grad():
        net.head.fc.bias[0] = float("inf")
    assert where_not_finite(net, images) == "head.fc"
    assert not any(m._forward_hooks for m in net.modules())
