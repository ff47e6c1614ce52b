"""A file's network name decides, since equal tensors do not make equal networks.

Also the ways in which files hold weights: wrappers, prefixes, two sets, settings beside them.
"""

import argparse
import json
import zipfile

import pytest
import torch
from safetensors.torch import save_file

import fastscale as fs
from fastscale.errors import InputError
from fastscale.release.importing import import_file
from fastscale.release.importing.architectures import equal_names
from fastscale.release.importing.names import tensor_names

NET = "regnetx-200mf.dds"


def theirs(name=NET, source_format="timm", classes=5, seed=0):
    torch.manual_seed(seed)
    state = fs.build(name, classes).state_dict()
    names = tensor_names(fs.arch(name), source_format)
    return {there: state[ours].clone() for ours, there in names.items()}


@pytest.fixture(scope="module")
def two():
    """Two sets of weights for one network."""
    return theirs(seed=0), theirs(seed=1)


def imported(content, tmp_path, source_format="timm", **more):
    torch.save(content, tmp_path / "their.pth")
    said = []
    found = import_file(tmp_path / "their.pth", source_format, say=said.append, **more)
    return found.state_dict["head.fc.weight"], said


def test_every_equal_name_is_a_network_of_ours():
    for source_format in ("timm", "torchvision", "efficientnet-lite"):
        for ours in equal_names(source_format).values():
            assert fs.arch(ours).name == ours and tensor_names(fs.arch(ours), source_format)


@pytest.mark.parametrize("how", ["config", "args", "arch", "pretrained_cfg", "file"])
@pytest.mark.parametrize("given", [None, "resnet-50"])
def test_resnetblur50_is_not_resnet_50(tmp_path, how, given):
    tensors, path = theirs("resnet-50"), tmp_path / "model.pth"
    if how == "args":
        tensors = {"state_dict": tensors, "args": argparse.Namespace(model="resnetblur50")}
    elif how == "arch":
        tensors = {"state_dict": tensors, "arch": "resnetblur50", "epoch": 3}
    elif how == "config":
        (tmp_path / "config.json").write_text('{"architecture": "resnetblur50"}')
    elif how == "pretrained_cfg":
        text = '{"pretrained_cfg": {"architecture": "resnetblur50.bt_in1k"}}'
        (tmp_path / "config.json").write_text(text)
    else:
        path = tmp_path / "resnetblur50-84f4748f.pth"
    torch.save(tensors, path)
    with pytest.raises(InputError, match="resnetblur50.* not known to equal") as caught:
        import_file(path, "timm", given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["resnet50", "resnet50.a1_in1k", "tv_resnet50"])
def test_equal_networks_are_mapped(tmp_path, name):
    save_file(theirs("resnet-50"), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name, "num_classes": 5}))
    assert import_file(tmp_path / "model.safetensors", "timm").arch_name == "resnet-50"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"model": "resnet101"}, "which is resnet-101, not regnetx-200mf.dds"),
        ({"model": "regnetx_002", "model_kwargs": {"act_layer": "silu"}}, "made with model_kwargs"),
        ({"model": "regnetx_002", "gp": "max"}, "made with gp max"),
        ({"model": "regnetx_002", "bn_eps": 1e-3}, "made with bn_eps 0.001"),
    ],
)
def test_options_that_change_a_network_are_refused(two, tmp_path, args, message):
    with pytest.raises(InputError, match=message):
        imported({"state_dict": two[0], "args": argparse.Namespace(**args)}, tmp_path)


def test_a_namespace_is_read_and_code_is_not(two, tmp_path):
    args = argparse.Namespace(model="regnetx_002", lr=0.1, mean=[0.5] * 3, std=[0.25] * 3, gp=None)
    torch.save({"state_dict": two[0], "args": args, "optimizer": {}}, tmp_path / "a.pth")
    found = import_file(tmp_path / "a.pth", "timm")
    assert found.mean == (127.5,) * 3 and found.std == (63.75,) * 3
    args.path = tmp_path  # a Path is not a plain value
    torch.save({"state_dict": two[0], "args": args}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="refused: reading it would run code .*pathlib"):
        import_file(tmp_path / "a.pth", "timm")


def prefixed(tensors, prefix):
    return {prefix + k: v for k, v in tensors.items()}


@pytest.mark.parametrize(
    "prefix",
    [
        "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model.", "net.",
        "model._orig_mod.module.", "ema_model.module.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_ema", None])
def test_prefixes_in_any_order(two, tmp_path, prefix, wrapper):
    state = prefixed(two[0], prefix) | {"n_averaged": torch.tensor(7)}
    content = state if wrapper is None else {wrapper: state, "epoch": 1}
    found, _ = imported(content, tmp_path)
    assert torch.equal(found, two[0]["head.fc.weight"])


def test_torchvisions_two_sets(two, tmp_path):
    averaged = prefixed(two[1], "module.") | {"n_averaged": torch.tensor(7)}
    content = {"model": two[0], "model_ema": averaged, "args": argparse.Namespace(lr=1)}
    for kind, k in (("auto", 1), ("raw", 0), ("ema", 1)):
        found, said = imported(content, tmp_path, weights=kind)
        assert torch.equal(found, two[k]["head.fc.weight"])
        assert ["without their errors" in s for s in said] == [True] * (kind == "auto")
    both = prefixed(two[0], "net.") | prefixed(two[1], "ema.")
    for kind, k in (("auto", 1), ("raw", 0)):
        found, _ = imported({"state_dict": both}, tmp_path, weights=kind)
        assert torch.equal(found, two[k]["head.fc.weight"])


@pytest.mark.parametrize(
    ("errors", "taken"),
    [
        ({"test_err": 20.0, "ema_err": 30.0}, 0),
        ({"test_err": 30.0, "ema_err": 20.0}, 1),
        ({"test_err": 20.0, "ema_err": 20.0}, 0),  # like pycls' loader
    ],
)
def test_pycls_two_states_are_chosen_like_its_loader(tmp_path, errors, taken, capsys):
    sets = [theirs(source_format="pycls", seed=s) for s in (0, 1)]
    content = {"model_state": sets[0], "ema_state": sets[1], **errors}
    found, said = imported(content, tmp_path, "pycls")
    assert torch.equal(found, sets[taken]["head.fc.weight"]) and not said
    found, _ = imported(content, tmp_path, "pycls", weights="ema")
    assert torch.equal(found, sets[1]["head.fc.weight"])


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ("MODEL: {TYPE: regnet, ACTIVATION_FUN: silu}", "ACTIVATION_FUN silu, .* has relu"),
        ("BN: {EPS: 0.001}", "BN.EPS 0.001"),
        ("MODEL: {TYPE: vit}", "MODEL.TYPE vit"),
        ("MODEL: [[", "its cfg: not YAML"),
        ("MODEL: {TYPE: regnet, ACTIVATION_FUN: relu}\nBN: {EPS: 1.0e-5}", None),
    ],
)
def test_pycls_config_in_the_file(tmp_path, cfg, message):
    content = {"model_state": theirs(source_format="pycls"), "cfg": cfg}
    if message is None:
        imported(content, tmp_path, "pycls")
        return
    with pytest.raises(InputError, match=message):
        imported(content, tmp_path, "pycls")


def test_class_names_beside_the_file(two, tmp_path):
    save_file(two[0], tmp_path / "model.safetensors")
    config = {"architecture": "regnetx_002", "label_names": list("vwxyz")}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = import_file(tmp_path / "model.safetensors", "timm")
    assert found.class_names == tuple("vwxyz")
    for wrong in ({"label_names": ["a"]}, {"label_names": 3}, {"num_classes": 7}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **wrong}))
        with pytest.raises(InputError, match="config.json beside it"):
            import_file(tmp_path / "model.safetensors", "timm")
    (tmp_path / "config.json").write_text("[" * 50_000)
    with pytest.raises(InputError, match="not JSON"):
        import_file(tmp_path / "model.safetensors", "timm")


def test_a_zip_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(InputError, match="refused: it would unpack to 50,000,000 bytes"):
        import_file(path, "timm")


def of_its_script(tmp_path):
    """(averaged state, file) as saved by torchvision's training script for regnet_x_400mf."""
    raw, averaged = (theirs("regnetx-400mf.dds", "torchvision", seed=seed) for seed in (0, 1))
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    content = {
        "model": raw,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5]).state_dict(),
        "epoch": 99,
        "args": argparse.Namespace(
            model="regnet_x_400mf", data_path="/data", device="cuda", weights=None, lr=0.8,
            lr_steps=[3, 5], distributed=True, rank=0, mixup_alpha=0.2,
        ),
        "model_ema": prefixed(averaged, "module.") | {"n_averaged": torch.tensor(7)},
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0},
    }  # fmt: skip
    torch.save(content, tmp_path / "checkpoint.pth")
    return averaged, tmp_path / "checkpoint.pth"


def test_a_file_of_torchvisions_training_script_is_read(tmp_path):
    averaged, path = of_its_script(tmp_path)
    said = []
    found = import_file(path, "torchvision", say=said.append)
    assert found.arch_name == "regnetx-400mf.dds" and len(said) == 1
    assert torch.equal(found.state_dict["head.fc.weight"], averaged["fc.weight"])


def whole_module(tensors, path):
    torch.save(torch.nn.Linear(2, 2), path)


def scripted(tensors, path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def wide(tensors, path):
    torch.save({**tensors, "fc.weight": torch.zeros(5, 800)}, path)


def another_head(tensors, path):
    torch.save({k.replace("fc.", "fc.1."): v for k, v in tensors.items()}, path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (whole_module, "would run code"),
        (scripted, "not a file of weights"),
        (wide, r"nearest is regnetx-400mf.dds: fc.weight is \(5, 800\), wanted \(5, 384\)"),
        (another_head, "nearest is regnetx-400mf.dds: 2 missing: fc.weight, fc.bias"),
    ],
)
def test_other_files_of_torchvisions_networks_are_refused(tmp_path, make, message):
    make(theirs("regnetx-400mf.dds", "torchvision"), tmp_path / "their.pth")
    with pytest.raises(InputError, match=message) as caught:
        import_file(tmp_path / "their.pth", "torchvision")
    assert "\n" not in str(caught.value)
