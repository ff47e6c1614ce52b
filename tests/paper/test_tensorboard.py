"""The committed TensorBoard logs: they load, and end with the errors of the records."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fastscale.home import home
from fastscale.records import read_records

LOGS = home().root / "paper_figures" / "tensorboard"
RUNS = sorted(path.parent.name for path in LOGS.glob("*/seed0"))


@pytest.mark.parametrize("run", RUNS)
def test_a_log_ends_with_the_recorded_error(run):
    log = EventAccumulator(str(LOGS / run / "seed0")).Reload()
    (record,) = [
        r
        for r in read_records(home().records / "evidence-cifar10-small.jsonl")
        if (r.run, r.seed) == (run, 0)
    ]
    for name in ("top1_error", "top5_error", "top1_error_ema"):
        assert log.Scalars(name)[-1].value == pytest.approx(record.values[name], abs=1e-4)


def test_every_network_of_the_artifact_has_one():
    from fastscale.paper import load_artifact

    plan = load_artifact("evidence-cifar10-small").plan("quick")
    assert {run.run for run in plan.runs()} == set(RUNS)
