"""A user's network or family can be used by name, and records of it can be read without it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import fastscale as fs
from fastscale.archs import definition, from_definition
from fastscale.archs.registry import base_names, registered
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.records import arch_of
from fastscale.scaling import own_definition

MOBILE = str(Path(__file__).with_name("mobile.py"))
MINE = replace(fs.arch("regnety-tiny"), name="mynet", depths=(1, 1, 2))


@pytest.fixture
def mine(tmp_path):
    """A file that defines MINE."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(definition(MINE)))
    return str(path)


@pytest.fixture
def mobile():
    from fastscale.archs.files import read_arch

    arch = read_arch(f"{MOBILE}:TINY")
    with registered([arch]):
        yield arch


def test_a_registered_network_can_be_used_by_name():
    with registered([MINE]):
        assert fs.arch("mynet") is MINE and "mynet" in fs.list_archs()
        assert fs.scale("mynet", "dWr", 4) == fs.arch("mynet.dWr-x4")
        plan = fs.plan("mynet", "dWr", flops=2e7)
        assert plan.best.base == "mynet" and fs.complexity(plan.best.arch).flops <= 2e7
    with pytest.raises(InputError, match="no network is named 'mynet'"):
        fs.arch("mynet")


@pytest.mark.parametrize("name", ["regnety-4gf", "resnet-50"])
def test_a_name_that_is_taken_is_refused(name):
    with pytest.raises(InputError, match="named .* exists already"):
        fs.register_arch(replace(MINE, name=name))
    fs.register_arch(fs.arch(name))  # the same network
    assert base_names().count(name) == 1


@pytest.mark.parametrize("name", ["", "Mine", "a.b", "mine.dWr-x2", "../a", "a b", "x" * 61, 3])
def test_invalid_names(name):
    with pytest.raises(InputError, match="cannot name"):
        fs.register_arch(replace(MINE, name=name))


@pytest.mark.parametrize("name", ["regnety-4gf.dWr-x4", "efficientnet-lite1", "resnet-50"])
def test_definitions_are_plain_values_of_the_same_network(name):
    arch = fs.arch(name)
    assert from_definition(json.loads(json.dumps(definition(arch))), "here") == arch
    assert own_definition(arch) is None
    own = replace(arch, resolution=arch.resolution + 32, test_resolution=arch.resolution + 64)
    assert own_definition(own) == definition(own)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "Sequential"}, "unknown family of networks 'Sequential'"),
        ({"kind": None}, "unknown family"),
        ({"depths": [10**9] * 3}, "blocks"),
        ({"depths": ["1", 1, 1]}, "depths of AnyNet cannot be"),
        ({"depths": [1] * 200}, "depths of AnyNet cannot be"),
        ({"widths": [1e400, 1, 1]}, "widths of AnyNet cannot be"),
        ({"resolution": 10**30}, "too large"),
        ({"name": "a/b"}, "cannot name"),
        ({"name": "x" * 500}, "name of AnyNet cannot be"),
        ({"activation": "eval"}, "activation 'eval' is unknown"),
        ({"code": "import os"}, "has no 'code'"),
        ({"widths": {}}, "widths of AnyNet cannot be"),
    ],
)
def test_definitions_are_not_trusted(change, why):
    with pytest.raises(InputError, match=f"^there: .*{why}"):
        from_definition(definition(MINE) | change, "there")
    for content in ([], None, "AnyNet", {1: 2}, {"kind": "AnyNet"}):
        with pytest.raises(InputError, match="^there: "):
            from_definition(content, "there")


def test_a_regnet_in_a_file_is_its_stages(tmp_path, capsys):
    path = tmp_path / "a.yaml"
    numbers = {"depth": 21, "w0": 16, "wa": 10.7, "wm": 2.51, "group_width": 4}
    path.write_text(yaml.safe_dump({"kind": "RegNet", "name": "z", "resolution": 224} | numbers))
    assert main(["info", "--arch", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arch"]["depths"] == list(fs.RegNet(**numbers).stages()[0]) == [1, 4, 9, 7]
    assert found["arch"]["test_resolution"] == 256


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{tmp}/none.py:A", "no such file"),
        ("{tmp}/none.yaml", "cannot be read"),
        ("resnet-50", "FILE.py:NAME"),
        (MOBILE + ":NONE", "it has TINY"),
        ("{tmp}/broken.py", "ZeroDivisionError"),
        ("{tmp}/record.yaml", "has no 'arch'"),
    ],
)
def test_a_file_without_a_network(tmp_path, capsys, text, why):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "record.yaml").write_text("{kind: AnyNet, arch: evil.py:X}\n")
    assert main(["info", "--arch", text.format(tmp=tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and why in error


def test_a_users_family_is_counted_scaled_and_built(mobile):
    from fastscale.models.fvcore_count import fvcore_complexity

    big = fs.scale(mobile, "dWr", 4)
    assert big.family == "MobileNetV2" and big.name == "mobilenetv2-tiny.dWr-x4"
    assert big.stem_width > mobile.stem_width and big.head_width > mobile.head_width
    for arch in (mobile, big):
        net = fs.build(arch, num_classes=7)
        found = fvcore_complexity(net, arch.resolution)
        assert found == fs.complexity(arch, num_classes=7)
        assert net(_images(arch)).shape == (2, 7)
    assert from_definition(definition(big), "here") == big
    prediction = fs.predict_time(big, "v100")
    assert prediction.low < prediction.image_time_s < prediction.high


def _images(arch):
    import torch

    return torch.zeros(2, 3, arch.resolution, arch.resolution)


def test_a_record_of_an_unknown_family_can_be_read_and_says_so(mobile):
    from fastscale.records import Record, network_fields

    env = {"device": "x", "date": "2026-01-01"}
    fields = network_fields(mobile, 10) | {"values": {"step_time_s": 1.0}, "env": env}
    record = Record(kind="time", run=f"{mobile.name}.time", **fields)
    assert arch_of(Record.from_json(record.to_json())) == mobile
    unknown = replace(record, definition={**fields["definition"], "kind": "Unheard"})
    read = Record.from_json(unknown.to_json())
    with pytest.raises(InputError, match="unknown family of networks 'Unheard'"):
        arch_of(read)
    other = replace(record, definition=definition(MINE))
    with pytest.raises(InputError, match="is of 'mynet', not of 'mobilenetv2-tiny'"):
        arch_of(other)


def test_a_drawing_takes_a_record_of_an_unknown_family(mobile):
    from fastscale.paper.report.ours import record_points
    from fastscale.records import Record, family_of, network_fields

    values = {"step_time_s": 1.0, "epoch_time_min": 2.0, "images_per_s": 3.0}
    env = {"device": "x", "date": "2026-01-01", "batch": 4}
    fields = network_fields(mobile, 10) | {"values": values, "env": env}
    record = Record(kind="time", run=f"{mobile.name}.time", **fields)
    unknown = replace(record, definition={**fields["definition"], "kind": "Unheard"})
    assert (family_of(record), family_of(unknown)) == ("MobileNetV2", "Unheard")
    assert {p.family for p in record_points([record])} == {"MobileNetV2"}
    assert {p.family for p in record_points([unknown])} == {"Unheard"}
