"""Where files are: in this checkout, in another one and in an installed package."""

from pathlib import Path

import pytest

from fastscale import home as module
from fastscale.data.paths import data_root
from fastscale.errors import InputError
from fastscale.home import Home, home, using_home
from fastscale.paper import list_artifacts
from fastscale.timing.grid import grid_names
from fastscale.training.recipe import load_recipe, recipe_names

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def other(tmp_path):
    """Another checkout, with one artifact and one recipe."""
    for part, name in (("artifacts", "mine"), ("recipes", "short"), ("timing", "few")):
        folder = tmp_path / "other" / "configs" / part
        folder.mkdir(parents=True)
        (folder / f"{name}.yaml").write_text("recipe: {epochs: 30}\n")
    return tmp_path / "other"


def test_the_checkout_of_the_package():
    assert home() == Home(ROOT)
    assert home().checkout == ROOT
    assert (home().recipes / "imagenet-100ep.yaml").is_file()
    assert (home().references / "paper_points.csv").is_file()
    assert {path.suffix for path in home().record_files()} == {".jsonl"}


def test_another_checkout(other):
    with using_home(other) as chosen:
        assert home() is chosen
        assert list_artifacts() == ["mine"]
        assert (recipe_names(), load_recipe("short").epochs) == (["short"], 30)
        assert grid_names() == ["few"]
        assert home().figures == other / "paper_figures"
        with using_home(ROOT):
            assert "fig-4" in list_artifacts()
        assert list_artifacts() == ["mine"]
    assert "fig-4" in list_artifacts()


def test_the_home_is_restored_after_an_error(other):
    with pytest.raises(ZeroDivisionError), using_home(other):
        _ = 1 / 0
    assert home() == Home(ROOT)


def test_a_folder_that_is_no_checkout(tmp_path):
    with pytest.raises(InputError, match="no checkout of fastscale"), using_home(tmp_path):
        pass


def test_figures_are_drawn_into_the_checkout_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT / "scripts")
    assert home().figures == ROOT / "paper_figures"
    monkeypatch.chdir(tmp_path)
    assert home().figures == tmp_path / "paper_figures"


def test_files_made_here_come_before_committed_ones(tmp_path, monkeypatch):
    committed = {path.name for path in home().record_files()}
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "paper_figures" / "records"
    made.mkdir(parents=True)
    for name in ("mine.jsonl", "quick.jsonl"):
        (made / name).write_text("")
    found = {path.name: path.parent for path in home().record_files()}
    assert set(found) == committed | {"mine.jsonl"}
    assert found["quick.jsonl"] == made and found["evidence-cifar10.jsonl"] == home().records
    assert home().found("records", "quick.jsonl").parent == made
    assert home().found("reference", "tables.csv") == home().references / "tables.csv"


def test_an_installed_package(tmp_path, monkeypatch):
    shipped = tmp_path / "site-packages" / "fastscale" / "shipped"
    shipped.mkdir(parents=True)
    monkeypatch.setattr(module, "PACKAGE", shipped.parent)
    installed = module._of_package()
    assert installed == Home(shipped, installed=True)
    assert installed.recipes == shipped / "configs" / "recipes"
    assert installed.extra("hub") == "pip install 'fastscale[hub]'"
    assert home().extra("hub") == "pip install -e '.[hub]'"
    monkeypatch.chdir(shipped.parent)
    assert installed.figures == shipped.parent / "paper_figures"
    with pytest.raises(InputError, match="clone the repository"):
        _ = installed.checkout


def test_folders_that_the_user_chooses(tmp_path, monkeypatch):
    for variable in ("FASTSCALE_RUNS", "FASTSCALE_DATA", "FASTSCALE_CHECKPOINTS"):
        monkeypatch.setenv(variable, "")
    assert home().runs == Path("runs")
    assert home().data == data_root() == Path.home() / ".cache" / "fastscale"
    assert home().checkpoints == ROOT / "checkpoints"
    for variable in ("FASTSCALE_RUNS", "FASTSCALE_DATA", "FASTSCALE_CHECKPOINTS"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert home().runs == tmp_path / "FASTSCALE_RUNS"
    assert home().data == data_root() == tmp_path / "FASTSCALE_DATA"
    assert home().checkpoints == tmp_path / "FASTSCALE_CHECKPOINTS"
    assert data_root(tmp_path) == tmp_path
