"""The network named is the one timed and recorded, to the last digit of its factor."""

import pytest

import fastscale as fs
from fastscale.archs.names import NetworkName
from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.scaling import arch_named
from fastscale.timing.grid import make_networks

FACTORS = [2, 4.0, 1.2345678, 1.23456789012345, 4 / 3, 0.1 + 0.2, 1e-05, 123456.789, 999999.5]


@pytest.mark.parametrize("factor", FACTORS)
def test_factors_are_read_back_as_they_were(factor):
    name = NetworkName("regnety-tiny", "dWr", factor)
    assert NetworkName.parse(str(name)) == name and NetworkName.parse(str(name)).factor == factor


@pytest.mark.parametrize("factor", FACTORS[:5])
def test_a_grid_names_networks_as_scale_does(factor):
    (network,) = make_networks(["regnety-tiny"], ["dWr"], [factor], "here")
    assert network.name == fs.scale("regnety-tiny", "dWr", factor).name
    assert arch_named(network.name) == fs.scale("regnety-tiny", "dWr", factor)


def test_names_of_two_near_factors_differ():
    assert NetworkName("regnety-tiny", "dWr", 1.2345678).name.endswith("x1.2345678")
    assert NetworkName("regnety-tiny", "dWr", 1.23457).name.endswith("x1.23457")


@pytest.mark.slow
def test_a_sweep_times_and_records_the_network_that_was_named(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    name = "regnety-tiny.dWr-x1.2345678"
    sizes = ["--recipe", "quick", "--batch", "2", "--rounds", "1", "--round_s", "0.01"]
    where = ["--device", "cpu", "--runs_dir", str(tmp_path)]
    assert main(["time", name, "--separate", *sizes, *where]) == 0
    records = RecordStore(tmp_path / "records.jsonl").read()
    assert {r.run for r in records} == {f"{name}.time", f"{name}.reference"}
    assert {(r.arch, r.factor, r.flops) for r in records} == {
        (name, 1.2345678, fs.complexity(name, num_classes=1000).flops)
    }
