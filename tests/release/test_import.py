"""Other projects' files: the network is recognised and every tensor is accounted for."""

import json
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

import fastscale as fs
from fastscale.common import IMAGENET_MEAN, IMAGENET_STD
from fastscale.release.importing import import_file, import_tensors
from fastscale.release.importing.names import FORMATS, built_like, tensor_names, tensor_shapes


def theirs(name, source_format, classes=1000):
    """(state dict with their names, with ours) of one of our networks with random weights."""
    state = fs.build(name, classes).state_dict()
    return OrderedDict(
        (there, state[ours].clone())
        for ours, there in tensor_names(fs.arch(name), source_format).items()
    ), state


def save(tensors, path):
    torch.save(tensors, path)
    return path


@pytest.mark.parametrize("name", fs.list_archs())
def test_names_are_as_many_as_tensors(name):
    arch = fs.arch(name)
    shapes = tensor_shapes(arch, 10)
    with torch.device("meta"):
        assert {k: tuple(v.shape) for k, v in fs.build(name, 10).state_dict().items()} == shapes
    for source_format in FORMATS:
        try:
            names = tensor_names(arch, source_format)
        except KeyError:
            assert source_format == "efficientnet-lite" or (
                arch.head_width and built_like(arch) == "regnet"
            )
            continue
        assert list(names) == list(shapes) and len(set(names.values())) == len(shapes)


def test_names_are_the_projects_own():
    def name(network, source_format, ours):
        return tensor_names(fs.arch(network), source_format)[ours]

    assert (
        name("regnety-400mf.dds", "pycls", "stages.0.0.proj_norm.running_mean")
        == "s1.b1.bn.running_mean"
    )
    assert (
        name("regnety-400mf.dds", "pycls", "stages.3.5.se.expand.bias") == "s4.b6.f.se.f_ex.2.bias"
    )
    assert name("regnety-400mf.dds", "timm", "stages.2.1.conv2.weight") == "s3.b2.conv2.conv.weight"
    assert (
        name("regnetx-800mf.dds", "torchvision", "stages.1.2.norm3.bias")
        == "trunk_output.block2.block2-2.f.c.1.bias"
    )
    assert (
        name("efficientnet-b0", "torchvision", "stages.0.0.conv3.weight")
        == "features.1.0.block.2.0.weight"
    )
    assert name("efficientnet-b0", "torchvision", "head.norm.weight") == "features.8.1.weight"
    assert (
        name("efficientnet-lite0", "efficientnet-lite", "stages.6.0.conv3.weight")
        == "_blocks.15._project_conv.weight"
    )


@pytest.mark.parametrize(
    "wrapped", ["plain", "model_state", "module.", "safetensors", "half", "no counters"]
)
def test_every_way_a_file_wraps_weights(tmp_path, wrapped):
    tensors, state = theirs("regnety-200mf.dds", "pycls", 12)
    path = tmp_path / "RegNetY.pyth"
    if wrapped == "model_state":
        save(
            {
                "epoch": 99,
                "model_state": tensors,
                "optimizer_state": {"state": {}},
                "cfg": "MODEL: regnet",
            },
            path,
        )
    elif wrapped == "module.":
        save({f"module.{k}": v for k, v in tensors.items()}, path)
    elif wrapped == "safetensors":
        path = tmp_path / "model.safetensors"
        save_file(tensors, path)
    elif wrapped == "half":
        save({k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}, path)
    elif wrapped == "no counters":
        save({k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}, path)
    else:
        save(tensors, path)
    found = import_file(path, "pycls", licence="MIT")
    assert (found.arch_name, found.num_classes, found.class_names, found.licence) == (
        "regnety-200mf.dds",
        12,
        None,
        "MIT",
    )
    assert (found.mean, found.std) == (IMAGENET_MEAN, IMAGENET_STD) and str(path) in found.source
    state["stem.conv.weight"] = state["stem.conv.weight"].flip(1)  # BGR to RGB
    assert list(found.state_dict) == list(state)
    for name, tensor in state.items():
        torch.testing.assert_close(
            found.state_dict[name], tensor, rtol=1e-3, atol=1e-4 if wrapped == "half" else 0
        )
    fs.build(found.arch_name, 12).load_state_dict(found.state_dict)


def test_a_thousand_classes_are_imagenets():
    tensors, _ = theirs("regnetx-200mf.dds", "timm")
    found = import_tensors(tensors, "timm")
    assert (found.class_names[0], found.class_names[999]) == ("tench", "toilet tissue") and len(
        set(found.class_names)
    ) == 1000


def test_the_name_of_a_scaled_network_can_be_given(tmp_path):
    tensors, _ = theirs("regnety-tiny.dWr-x4", "pycls", 3)
    assert (
        import_file(save(tensors, tmp_path / "a.pyth"), "pycls", "regnety-tiny.dWr-x4").arch_name
        == "regnety-tiny.dWr-x4"
    )
    with pytest.raises(
        ValueError, match="no network here has these tensors as pycls names them; nearest is reg"
    ):
        import_file(tmp_path / "a.pyth", "pycls")


def test_a_difference_in_eps_goes_into_the_variance():
    names = tensor_names(fs.arch("efficientnet-b5"), "torchvision")
    shapes = tensor_shapes(fs.arch("efficientnet-b5"), 10)
    tensors = {there: torch.ones(shapes[ours]) for ours, there in names.items()}
    found = import_tensors(tensors, "torchvision").state_dict["head.norm.running_var"]
    torch.testing.assert_close(found + 1e-5, torch.full((2048,), 1 + 1e-3))


def test_timms_config_beside_the_file_sets_the_preprocessing(tmp_path):
    tensors, _ = theirs("efficientnet-b0", "timm", 5)
    save_file(tensors, tmp_path / "model.safetensors")
    config = {
        "architecture": "efficientnet_b0",
        "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = import_file(tmp_path / "model.safetensors", "timm")
    assert (found.mean, found.std) == ((127.5,) * 3, (63.75,) * 3)
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "architecture": "tf_efficientnet_b0"})
    )
    with pytest.raises(
        ValueError, match="tf_efficientnet_b0 pads as TensorFlow does, efficientnet-b0 evenly"
    ):
        import_file(tmp_path / "model.safetensors", "timm")


@pytest.mark.parametrize(
    ("pretrained", "text"),
    [
        (None, "pretrained_cfg .* is not an object"),
        ([1], "pretrained_cfg .* is not an object"),
        ({"mean": 0.5, "std": [0.5] * 3}, "mean .* must be three numbers from 0 to 1"),
        (
            {"mean": [float("nan")] * 3, "std": [0.5] * 3},
            "mean .* must be three numbers from 0 to 1",
        ),
        ({"mean": [10**400] * 3, "std": [0.5] * 3}, "not JSON .10000000.* is too large a number"),
        ({"mean": [0.5] * 3, "std": [0.5, 0, 0.5]}, "std .* must be three numbers from 0.001 to 1"),
    ],
)
def test_an_invalid_config_is_refused_in_one_line(tmp_path, pretrained, text):
    save_file(theirs("regnety-tiny", "timm", 5)[0], tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": pretrained}))
    with pytest.raises(ValueError, match=text) as caught:
        import_file(tmp_path / "model.safetensors", "timm", "regnety-tiny")
    assert "\n" not in str(caught.value)


def test_ignored_settings_of_timms_preprocessing_are_printed(tmp_path, capsys):
    save_file(theirs("regnety-tiny", "timm", 5)[0], tmp_path / "model.safetensors")
    config = {
        "input_size": [3, 224, 224],
        "test_input_size": [3, 288, 288],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
    }
    for pretrained, count in ((config, 1), ({"classifier": "head.fc"}, 0)):
        (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": pretrained}))
        import_file(tmp_path / "model.safetensors", "timm", "regnety-tiny")
        said = capsys.readouterr().err
        assert said.count("\n") == count and all(
            f"{name} {value}" in said for name, value in pretrained.items() if count
        )


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        (lambda t: t.to(torch.complex64), "of type complex64"),
        (lambda t: t.to_sparse(), "no ordinary tensor in memory .sparse_coo"),
        (lambda t: t.to("meta"), "no ordinary tensor in memory .*meta"),
        (lambda t: t * float("nan"), "'stem.conv.weight' holds NaN or infinity"),
        (lambda t: t.double() + 1e300, "'stem.conv.weight' holds NaN or infinity"),
    ],
)
def test_tensors_that_are_not_weights_are_refused_in_one_line(tmp_path, spoilt, text):
    tensors, _ = theirs("regnety-tiny", "timm", 5)
    tensors["stem.conv.weight"] = spoilt(tensors["stem.conv.weight"])
    with pytest.raises(ValueError, match=text) as caught:
        import_file(save(tensors, tmp_path / "x.pth"), "timm", "regnety-tiny")
    assert "\n" not in str(caught.value)


def test_an_ambiguous_padding_needs_the_networks_name(tmp_path):
    tensors, _ = theirs("efficientnet-lite0", "timm", 5)
    for file in ("efficientnet_lite0_ra.pth", "model.pth"):
        with pytest.raises(
            ValueError,
            match="pads as TensorFlow does, and timm has such weights under tf_efficientnet_lite",
        ):
            import_file(save(tensors, tmp_path / file), "timm")
    assert (
        import_file(save(tensors, tmp_path / "tf_efficientnet_lite0.pth"), "timm").mean
        == (127.5,) * 3
    )
    assert (
        import_file(tmp_path / "model.pth", "timm", "efficientnet-lite0").arch_name
        == "efficientnet-lite0"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t: t.pop("s2.b1.f.b.weight"), "1 missing: s2.b1.f.b.weight"),
        (lambda t: t.update({"s9.b1.x": torch.zeros(1)}), "1 left over: s9.b1.x"),
        (
            lambda t: t.update({"head.fc.bias": torch.zeros(7)}),
            r"head.fc.bias is \(7,\), wanted \(5,\)",
        ),
        (
            lambda t: t.update({"stem.conv.weight": torch.zeros(32, 1, 3, 3)}),
            r"stem.conv.weight is \(32, 1, 3, 3\), wanted \(32, 3, 3, 3\)",
        ),
        (lambda t: t.update({"head.fc.weight": torch.zeros(5)}), "head.fc.weight is"),
    ],
)
def test_every_tensor_is_accounted_for(tmp_path, change, text):
    tensors, _ = theirs("regnetx-200mf.dds", "pycls", 5)
    change(tensors)
    path = save(tensors, tmp_path / "x.pyth")
    with pytest.raises(ValueError, match=f"not regnetx-200mf.dds as pycls keeps it: {text}"):
        import_file(path, "pycls", "regnetx-200mf.dds")
    with pytest.raises(ValueError, match=f"nearest is regnetx-200mf.dds: {text}"):
        import_file(path, "pycls")


class Harmful:
    """A pickle that calls print when loaded without protection."""

    def __reduce__(self):
        return print, ("this ran",)


def test_unusable_files_are_refused_in_one_line(tmp_path, capsys):
    files = {
        "refused: reading it would run code": save(
            {"model_state": Harmful()}, tmp_path / "harmful.pyth"
        ),
        "text.pth: not a file of weights; fetch": tmp_path / "text.pth",
        "cut.safetensors: cut short; fetch": tmp_path / "cut.safetensors",
        "no tensor but int": save({"model_state": {"a": 1}}, tmp_path / "numbers.pyth"),
        "holds no state dict, but list": save([1], tmp_path / "list.pyth"),
        "holds no state dict, but nothing": save({}, tmp_path / "empty.pyth"),
        "no such file": tmp_path / "absent.pth",
    }
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    for text, path in files.items():
        with pytest.raises(ValueError, match=text) as caught:
            import_file(path, "timm")
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert "this ran" not in capsys.readouterr().out
    with pytest.raises(
        ValueError,
        match="no format 'keras'; choose from: pycls, timm, torchvision, efficientnet-lite",
    ):
        import_file(tmp_path / "text.pth", "keras")
