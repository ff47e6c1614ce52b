"""Another project's weights with our names become a file like any of ours."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.release.load import from_imported, open_checkpoint


@pytest.fixture
def imported(tiny):
    values = {
        "arch_name": "regnety-tiny",
        "state_dict": tiny[1],
        "num_classes": 3,
        "mean": (127.5,) * 3,
        "std": (127.5,) * 3,
    }
    return SimpleNamespace(
        **values, class_names=("ant", "bee", "cat"), source="pycls 123", licence="MIT"
    )


def stand_in(monkeypatch, name, **functions):
    module = ModuleType(name)
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, name, module)


def test_import_writes_a_file_that_loads_by_its_path(imported, monkeypatch, tmp_path, capsys):
    asked = []
    stand_in(
        monkeypatch,
        "fastscale.release.importing",
        import_file=lambda *a: asked.append(a) or imported,
    )
    (tmp_path / "their.pth").write_bytes(b"x")
    argv = [
        "checkpoint",
        "import",
        str(tmp_path / "their.pth"),
        "--from",
        "pycls",
        "--arch",
        "regnety-tiny",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(argv) == 0 and asked == [(str(tmp_path / "their.pth"), "pycls", "regnety-tiny")]
    (path,) = (tmp_path / "out").iterdir()
    assert path.name.startswith("regnety-tiny_pycls-") and str(path) in capsys.readouterr().out
    found = open_checkpoint(path)
    assert (
        found.about.weights == "imported"
        and found.about.source == "pycls 123"
        and found.about.classes == ("ant", "bee", "cat")
    )
    assert all(
        torch.equal(v, imported.state_dict[k]) for k, v in fs.load(path).state_dict().items()
    )
    assert fs.transforms(path).mean == (127.5,) * 3
    assert (
        main([*argv[:2], str(tmp_path / "none.pth"), *argv[3:]]) == 2
        and "none.pth: no such file" in capsys.readouterr().err
    )


def test_public_weights_load_by_name(imported, monkeypatch):
    stand_in(monkeypatch, "fastscale.release.importing")
    stand_in(
        monkeypatch,
        "fastscale.release.importing.known",
        load_known=lambda name, cache, say: imported if name == "pycls/tiny" else None,
    )
    assert fs.load("pycls/tiny").num_classes == 3


def test_weights_of_another_network_are_refused(imported):
    imported.state_dict = {
        k: v for k, v in imported.state_dict.items() if k != "stem.norm.running_var"
    }
    with pytest.raises(
        InputError, match="pycls 123: lacks tensor 'stem.norm.running_var' for regnety-tiny"
    ):
        from_imported(imported)
    imported.arch_name = "resnet-50"
    with pytest.raises(
        InputError, match="pycls 123: holds 26,083 parameters, resnet-50 with 3 classes has"
    ):
        from_imported(imported)
