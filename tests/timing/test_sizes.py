"""An epoch has as many images as its named data set."""

import pytest

from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.timing import epoch, sweep
from fastscale.timing.grid import load_grid

KNOWN = {
    "imagenet": (1_281_167, 1000),
    "fashion-mnist": (60_000, 10),
    "cifar10": (50_000, 10),
    "imagenette": (9_469, 10),
}
GRID = """
name: mine
reference: {network: regnety-tiny, batch: 2}
parts:
  - {bases: [regnety-tiny], strategies: [base], what: [train], precision: [32-true],
     layout: [contiguous], batch: 2}
"""


@pytest.fixture
def asked(monkeypatch, tmp_path, capsys):
    """asked(*words) -> (images, classes) that `fastscale time` would measure, or its error."""
    found = []

    def stop(*sizes):
        found.append(sizes)
        raise InputError("stopped")

    def time_epochs(networks, recipe, *, images, num_classes, **more):
        stop(images, num_classes)

    monkeypatch.setattr(epoch, "time_epochs", time_epochs)
    monkeypatch.setattr(sweep, "Sweep", lambda grid, *more: stop(grid.images, grid.classes))

    def ask(*words):
        found.clear()
        start = ["time", "regnety-tiny", "--recipe", "quick", "--runs-dir", str(tmp_path / "runs")]
        assert main([*start, *words]) == 2
        err = capsys.readouterr().err
        return found[0] if found else err

    return ask


@pytest.mark.parametrize("more", [(), ("--separate",)])
def test_the_command_uses_the_named_data_sets_size(asked, more):
    assert asked(*more) == KNOWN["imagenet"]
    for data, sizes in KNOWN.items():
        assert asked("--data", data, *more) == sizes
    assert asked("--data", "cifar10", "--images", "500", *more) == (500, 10)
    assert asked("--data", "mine", "--images", "500", "--classes", "3", *more) == (500, 3)
    for few in ((), ("--images", "500"), ("--classes", "3")):
        line = asked("--data", "mine", *few, *more)
        assert "data 'mine': its size is not known here" in line and line.count("\n") == 1


def test_a_grid_uses_the_named_data_sets_size(tmp_path):
    path = tmp_path / "mine.yaml"

    def sizes(more):
        path.write_text(GRID + more)
        grid = load_grid(str(path))
        return grid.images, grid.classes

    assert sizes("") == KNOWN["imagenet"]
    for data, right in KNOWN.items():
        assert sizes(f"data: {data}") == right
    assert sizes("classes: 4") == (1_281_167, 4)
    assert sizes("data: mine\nimages: 7\nclasses: 2") == (7, 2)
    with pytest.raises(InputError, match="data 'mine': its size is not known here"):
        sizes("data: mine")
