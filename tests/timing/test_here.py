"""`fastscale time --here`: a five-minute grid for this machine's device."""

import pytest

from fastscale.cli import main
from fastscale.planning.measured import LEAST
from fastscale.records import write_snapshot
from fastscale.records.committed import committed
from fastscale.timing import device, sweep
from fastscale.timing.grid import load_grid
from fastscale.timing.sweep import Outcome


@pytest.mark.parametrize(("there", "grid"), [("cpu", "cpu"), ("cuda", "here")])
def test_it_is_a_sweep_and_says_how_to_plan(monkeypatch, tmp_path, capsys, there, grid):
    asked = []

    class Made:
        def __init__(self, grid, store, *more):
            asked.append((grid.name, store, more[1]))

        def run(self):
            return Outcome(before=3)

    store = write_snapshot(tmp_path / "records.jsonl", committed("timing-h100"))
    monkeypatch.setattr(device, "usable_device", lambda name: there)
    monkeypatch.setattr(sweep, "Sweep", Made)
    assert main(["time", "--here", "--runs-dir", str(tmp_path)]) == 0
    assert asked == [(grid, store, 5.0)]
    said = capsys.readouterr().out
    assert "training: 132 time records" in said and "times the h100's time an image" in said
    assert f"--device {store}:nvidia-h100-80gb-hbm3 --epoch-time-min 30" in said
    store.unlink()
    assert main(["time", "--here", "--budget", "2", "--runs-dir", str(tmp_path)]) == 0
    assert asked[-1][2] == 2.0
    assert "0 usable time records; a law needs 7 networks" in capsys.readouterr().out


def test_a_budget_is_announced(tmp_path, monkeypatch):
    """The grid holds more measurements than fit into the time, above all on a CPU."""

    class NoCrew:
        name, threads, at_work = "some CPU", 1, False

        def __init__(self, *more):
            pass

        def dismiss(self):
            pass

    monkeypatch.setattr(sweep, "Crew", NoCrew)
    monkeypatch.setattr(sweep.Sweep, "_job", lambda self, name, setting: None)
    said = []
    for budget in (5.0, None):
        sweep.Sweep(load_grid("cpu"), tmp_path / "records.jsonl", "cpu", budget, said.append).run()
    log = tmp_path / "time-cpu.log"
    assert said == [
        f"cpu: 252 measurements, as many as fit into 5 minutes, on some CPU, 1 thread; log: {log}",
        f"cpu: 252 measurements, on some CPU, 1 thread; log: {log}",
    ]


@pytest.mark.parametrize("what", ["train", "inference"])
def test_its_grid_holds_enough_networks_for_a_law(what):
    parts = [p for p in load_grid("here").parts if any(s.what == what for s in p.settings)]
    assert len({n.name for part in parts for n in part.networks}) > LEAST
