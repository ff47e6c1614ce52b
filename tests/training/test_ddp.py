"""Two processes (gloo, on the CPU) train like one with the whole batch: images, weights, errors.

Also after one was killed.
"""

import subprocess
import sys
from collections import Counter

import pytest
import torch

from fastscale.data.framing import Framing
from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.evaluate import evaluate

RUN = "regnety-tiny.wg-x2.quick"
TWO = [
    "--trainer.accelerator",
    "cpu",
    "--trainer.devices",
    "2",
    "--trainer.strategy",
    "ddp",
    "--data.eval_batch_size",
    "4",
]
PART = 2  # images of a process in a step: 36 steps an epoch
RECIPE = {"batch_size": 2 * PART, "mixup": 0, "lr": 0.05}


def weights(runs):
    return read_checkpoint(runs / RUN / "seed0")["state_dict"]


def ends(runs):
    (record,) = RecordStore(runs / "records.jsonl").read()
    return record, {k: v for k, v in record.values.items() if "error" in k}


def test_two_processes(fit_here, fit_process, source, tmp_path, monkeypatch):
    two = fit_process(tmp_path / "two", *TWO, environment={"TEST_SEEN": str(tmp_path)}, **RECIPE)
    assert two.returncode == 0 and two.stdout.count("top1_error ") == 1, two.stderr
    check_images(tmp_path)
    check_metric(tmp_path / "two", source)
    check_weights(fit_here, tmp_path, monkeypatch)


def check_images(seen):
    """Each training image is seen once an epoch, half of them in each process."""
    for epoch in (0, 1):
        batches = [
            [line.split() for line in (seen / f"rank{k}.txt").read_text().splitlines()]
            for k in (0, 1)
        ]
        images = [[i for e, *batch in mine if int(e) == epoch for i in batch] for mine in batches]
        assert Counter(images[0] + images[1]) == Counter(map(str, range(144)))
        assert len(images[0]) == len(images[1]) == 72


def check_metric(runs, source):
    """One process finds the same errors in the checkpoint.

    Each of the 21 images is counted once, in batches of 4 and a last one of 2 or 3, and both
    processes use the statistics of the first.
    """
    record, errors = ends(runs)
    assert (
        record.env["devices"] == 2
        and evaluate(runs / RUN / "seed0", source, ["--trainer.accelerator", "cpu"]) == errors
    )
    assert all(abs(v * 21 / 100 - round(v * 21 / 100)) < 1e-3 for v in errors.values())


def check_weights(fit_here, folder, monkeypatch):
    """Weights differ by at most 1e-4 of each tensor's largest value after 72 steps.

    Batch norm uses statistics of each process's part of the batch. One process does the same with
    `accumulate` and the same parts: two processes take the even and the odd places of each batch.
    Its running statistics follow every part; with two processes, only the parts of the first.
    """
    original = Framing.order

    def parts(self, indices, epoch, rank=0, world=1):
        order = original(self, indices, epoch, rank, world)
        return order.reshape(-1, PART, 2).transpose(0, 2, 1).reshape(-1) if self.train else order

    with monkeypatch.context() as patch:
        patch.setattr(Framing, "order", parts)
        assert fit_here(folder / "one", accumulate=2, **RECIPE) == 0
    assert fit_here(folder / "other", accumulate=2, **RECIPE) == 0
    a, b, c = (weights(folder / name) for name in ("one", "two", "other"))
    names = [k for k in a if a[k].is_floating_point() and "running" not in k]

    def apart(x, y):
        return max(
            float((x[k] - y[k]).abs().max() / x[k].abs().max().clamp(min=1e-2)) for k in names
        )

    # `c`: other parts of the same batches have other statistics
    assert apart(a, b) < 1e-4 < 1e-2 < apart(a, c), (apart(a, b), apart(a, c))
    assert not torch.equal(a["net.stem.norm.running_mean"], b["net.stem.norm.running_mean"])


@pytest.mark.slow
def test_two_processes_resume(fit_process, tmp_path):
    """The second process dies in step 60, after step 50 was saved; the run resumes from there."""
    whole = fit_process(tmp_path / "two", *TWO, **RECIPE)
    assert whole.returncode == 0, whole.stderr
    killed = fit_process(
        tmp_path / "cut",
        *TWO,
        "--checkpoint_every",
        "0",
        environment={"TEST_KILL": "1:60:SIGKILL"},
        **RECIPE,
    )
    assert killed.returncode == 1, killed.stderr
    (line,) = [line for line in killed.stderr.splitlines() if line.startswith("error: ")]
    assert (
        "another process of this run has ended" in line
        and "(step 50, epoch 2)" in line
        and "Traceback" not in killed.stderr
    )
    resumed = fit_process(tmp_path / "cut", *TWO, **RECIPE)
    assert resumed.returncode == 0 and "after step 50" in resumed.stdout, resumed.stderr
    a, b = weights(tmp_path / "two"), weights(tmp_path / "cut")
    assert all(torch.equal(a[k], b[k]) for k in a)
    (one, errors), (other, same) = ends(tmp_path / "two"), ends(tmp_path / "cut")
    assert errors == same
    # not equal: the sum is in another order
    assert one.values["train_loss"] == pytest.approx(other.values["train_loss"], rel=1e-6)


LOSES_ONE = """
import subprocess, sys, time
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from fastscale.training.processes import lost_process_reported

with lost_process_reported(lambda: "kept at step 3", grace=0.1):
    failing = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    _ChildProcessObserver(0, [failing], sleep_period=1).start()
    time.sleep(60)
"""


def test_a_process_that_waits_for_a_dead_one_says_so():
    """Lightning would kill it without a message."""
    ended = subprocess.run(
        [sys.executable, "-c", LOSES_ONE], capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.endswith("error: another process of this run has ended; kept at step 3\n")
