"""The predictions of a dry run from a sweep's records in several precisions."""

import subprocess
import sys

import pytest

from fastscale.errors import InputError
from fastscale.records import Record, network_fields, write_snapshot
from fastscale.reproduce import cost
from fastscale.scaling import arch_named
from fastscale.training.recipe import load_recipe

NETWORKS = (
    "regnety-500mf",
    "regnety-500mf.dWr-x2",
    "regnety-4gf",
    "regnetz-500mf",
    "regnetz-4gf",
    "efficientnet-b0",
    "efficientnet-b2",
)


def sweep(precisions, **env):
    """Times proportional to acts, and twice as long in float16 to tell which was used."""
    records = []
    for name in (*NETWORKS, "resnet-50"):
        fields = network_fields(arch_named(name), 1000)
        for precision in precisions:
            seconds = fields["acts"] * 64 / 1e10 * (2 if precision == "16-mixed" else 1)
            said = {
                "device": "Made-up 9000",
                "device_type": "cuda",
                "date": "2026-01-01T00:00:00Z",
                "batch": 64,
                "compile": False,
            }
            said |= {"precision": precision, "layout": "contiguous", **env}
            records.append(
                Record(
                    kind="time",
                    run=f"{name}.time",
                    **fields,
                    data="imagenet",
                    values={"step_time_s": seconds},
                    env=said,
                )
            )
    return records


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """measured(precisions): makes a sweep in these precisions the records at hand."""
    monkeypatch.setenv("FASTSCALE_RUNS", str(tmp_path))
    cost._device_of.cache_clear()
    yield lambda *precisions, **env: write_snapshot(
        tmp_path / "records.jsonl", sweep(precisions, **env)
    )
    cost._device_of.cache_clear()


def seconds():
    recipe = load_recipe("imagenet-100ep")
    return cost.cost_of(
        arch_named("resnet-101"), recipe, "imagenet", devices=8, device="Made-up 9000"
    ).seconds


def test_the_recipes_precision_is_used_if_measured(measured):
    acts = network_fields(arch_named("resnet-101"), 1000)["acts"]
    measured("bf16-mixed", "16-mixed")
    both = seconds()
    # the recipe trains in float16
    assert both == pytest.approx(100 * 1_281_167 / 8 * acts / 1e10 * 2, rel=0.05)


def test_another_precision_is_better_than_none(measured):
    acts = network_fields(arch_named("resnet-101"), 1000)["acts"]
    measured("bf16-mixed")
    assert seconds() == pytest.approx(100 * 1_281_167 / 8 * acts / 1e10, rel=0.05)


def test_only_compiled_records_are_an_error(measured):
    measured("bf16-mixed", compile=True)
    with pytest.raises(InputError, match="no time record has precision .*compile"):
        seconds()


def test_an_unknown_device_is_looked_up_once(measured, monkeypatch):
    import fastscale.planning

    asked = []
    whole = fastscale.planning.device_named
    monkeypatch.setattr(
        fastscale.planning, "device_named", lambda *a, **k: asked.append(a) or whole(*a, **k)
    )
    for _ in range(3):
        with pytest.raises(InputError, match="no device is named 'Nobody 1'"):
            cost.device_of("Nobody 1")
    assert len(asked) == 3  # once for each precision


@pytest.mark.skipif(cost._may_have_gpu(), reason="there may be a GPU here, which torch is to name")
def test_the_papers_runs_are_listed_without_torch():
    code = """
import sys
from fastscale.reproduce.listing import lines_of, listed_runs
print(len(lines_of(listed_runs())))
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
