"""The command from end to end: training, records, TensorBoard, kill -9, evaluation, loading."""

import json
from itertools import pairwise

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import fastscale as fs
from fastscale.cli import main
from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import read_checkpoint

RUN = "regnety-tiny.wg-x2.quick"
SMALL = [
    "--model.recipe.batch_size",
    "8",
    "--model.recipe.epochs",
    "2",
    "--model.recipe.lr",
    "0.05",
    "--model.recipe.mixup",
    "0.2",
]


def fit(source, runs, *extra):
    return main(
        [
            "fit",
            "--run",
            RUN,
            "--runs_dir",
            str(runs),
            "--data.source",
            source,
            "--data.workers",
            "1",
            *SMALL,
            *extra,
        ]
    )


def test_fit_evaluate_load(source, tmp_path, capsys):
    runs = tmp_path / "runs"
    assert fit(source, runs) == 0
    folder = runs / RUN / "seed0"
    (record,) = RecordStore(runs / "records.jsonl").read()
    assert (record.kind, record.run, record.arch) == ("train", RUN, "regnety-tiny.wg-x2")
    assert (record.strategy, record.factor, record.seed, record.epochs) == ("wg", 2.0, 0, 2)
    assert (
        record.num_classes == 3
        and record.flops == fs.complexity("regnety-tiny.wg-x2", num_classes=3).flops
    )
    assert {
        "top1_error",
        "top1_error_ema",
        "train_loss",
        "epoch_time_s",
        "images_per_s",
        "data_wait_share",
    } <= set(record.values)
    assert (
        record.env["loader"] == "resident"
        and record.env["layout"] == "channels_last"
        and record.env["precision"] == "32-true"
    )
    assert (folder / "record.json").read_text() == record.to_json() + "\n"

    capsys.readouterr()
    # on the data that it was trained on, which the recipe does not name
    assert main(["evaluate", str(folder)]) == 0
    printed = dict(
        line.split()[:2] for line in capsys.readouterr().out.splitlines() if "error" in line
    )
    assert {k: float(v) for k, v in printed.items()} == {
        k: v for k, v in record.values.items() if "error" in k
    }

    content = read_checkpoint(folder)
    net = fs.load(folder)
    assert (
        not net.training
        and net.arch == fs.arch("regnety-tiny.wg-x2")
        and net(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    )
    torch.testing.assert_close(
        net.state_dict()["head.fc.weight"], content["state_dict"]["ema.head.fc.weight"]
    )

    board = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    scalars = set(board.Tags()["scalars"])
    assert {
        "train_loss",
        "top1_error",
        "top1_error_ema",
        "images_per_s",
        "data_wait_share",
        "epoch_time_s",
        "learning_rate",
    } <= scalars
    assert board.Tags()["images"] == ["train_images"]
    hparams = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    for name in (b"strategy", b"factor", b"flops", b"params", b"acts"):
        assert name in hparams

    assert (
        main(
            ["fit", "--config", str(folder / "config.yaml"), "--runs_dir", str(tmp_path / "again")]
        )
        == 0
    )
    (again,) = RecordStore(tmp_path / "again" / "records.jsonl").read()
    assert (again.run, again.recipe_hash, again.values["train_loss"]) == (
        record.run,
        record.recipe_hash,
        record.values["train_loss"],
    )

    before = json.loads((folder / "settings.json").read_text())
    assert fit(source, runs) == 0 and "finished before" in capsys.readouterr().out
    assert fit(source, runs, "--model.recipe.lr", "0.1") == 2
    assert "other settings (recipe.lr)" in capsys.readouterr().err
    assert json.loads((folder / "settings.json").read_text()) == before
    assert len(RecordStore(runs / "records.jsonl").read()) == 1


def test_a_step_does_not_wait_for_the_device(source, tmp_path, monkeypatch):
    """Reading a tensor's value (`.item()`, `float()`, `if tensor`) makes the host wait.

    A step reads none, except one every 50 steps for the log.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    class Reads(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            Reads.count += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    from fastscale.training.classifier import ImageClassifier
    from fastscale.training.run_checkpoint import RunCheckpoint

    seen: list[int] = []
    monkeypatch.setattr(
        ImageClassifier,
        "on_train_batch_start",
        lambda self, batch, i: seen.append(Reads.count),
        raising=False,
    )
    monkeypatch.setattr(RunCheckpoint, "due", lambda self: not self.saved_here)
    with Reads():
        assert fit(source, tmp_path, "--model.recipe.epochs", "6") == 0
    steps = [later - earlier for earlier, later in pairwise(seen)]
    # between the steps of one epoch, except after the very first step, when the state is saved
    inside = [n for i, n in enumerate(steps) if (i + 1) % 18 and i]
    assert len(seen) == 6 * 18 and Reads.count > 0
    assert sum(inside) == 2, inside  # steps 50 and 100


def test_accumulation_and_precise_statistics(source, tmp_path):
    """A batch of 16 in two parts of 8 makes half the steps.

    Precise statistics change what is evaluated, not what is trained.
    """
    more = [
        "--model.recipe.batch_size",
        "16",
        "--model.recipe.accumulate",
        "2",
        "--model.recipe.mixup",
        "0",
    ]
    assert fit(source, tmp_path / "plain", *more) == 0
    assert fit(source, tmp_path / "precise", *more, "--model.recipe.precise_bn", "64") == 0
    plain, precise = (read_checkpoint(tmp_path / k / RUN / "seed0") for k in ("plain", "precise"))
    assert plain["global_step"] == precise["global_step"] == 2 * 9
    assert torch.equal(
        plain["state_dict"]["net.head.fc.weight"], precise["state_dict"]["net.head.fc.weight"]
    )
    for prefix in ("net.", "ema."):
        key = prefix + "stem.norm.running_mean"
        assert not torch.equal(plain["state_dict"][key], precise["state_dict"][key])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            ["--trainer.limit_train_batches", "1"],
            "limit_train_batches would skip a part of the run",
        ),
        (["--trainer.fast_dev_run", "true"], "fast_dev_run"),
        (["--trainer.limit_val_batches", "0"], "without its result"),
        (["--model.arch", "regnety-tiny"], "give one of them"),
    ],
)
def test_half_runs_are_refused(source, tmp_path, capsys, option, message):
    assert fit(source, tmp_path, *option) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "records.jsonl").exists()


def test_damaged_files_of_a_run_are_named(source, tmp_path, capsys):
    folder = tmp_path / RUN / "seed0"
    assert fit(source, tmp_path) == 0
    for name, keep in (("record.json", 40), ("last.ckpt", 5000), ("settings.json", 30)):
        (folder / "record.json").unlink(
            missing_ok=name != "record.json"
        ) if name != "record.json" else None
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:keep])
        capsys.readouterr()
        assert fit(source, tmp_path) == 2
        err = capsys.readouterr().err
        assert name in err and err.count("\n") == 1, err
        (folder / name).write_bytes(whole)


def test_all_loaders_train_and_score_alike(source, tmp_path):
    for loader in ("ffcv", "plain", "resident"):
        assert fit(source, tmp_path / loader, "--data.loader", loader) == 0
    values = [
        RecordStore(tmp_path / k / "records.jsonl").read()[0].values
        for k in ("ffcv", "plain", "resident")
    ]
    assert values[0]["train_loss"] == pytest.approx(values[1]["train_loss"], rel=1e-3)
    assert values[0]["top1_error"] == pytest.approx(values[1]["top1_error"], abs=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "regnety-tiny.wg-x2"], "names no recipe"),
        (
            ["--run", "regnety-tiny.wg-x2.quik"],
            "no recipe is named 'quik'; did you mean 'quick'?",
        ),
        (["--run", "regnety-tini.quick"], "no network is named 'regnety-tini"),
        (["--run", "regnety-tiny.wgx-x2.quick"], "unknown strategy 'wgx'"),
        (["--run", "regnety-tiny.quick", "--model.recipe.lr", "fast"], "lr"),
        (["--run", "regnety-tiny.quick", "--model.recipe.lr", "-1"], "lr must be finite and > 0"),
        (["--run", "regnety-tiny.quick", "--no.such.option", "1"], "no.such"),
        (["--run", "regnety-tiny.quick", "--data.source", "no-such-set"], "no-such-set"),
        (["--run", "regnety-tiny.quick"], "fastscale data write fashion-mnist"),
        ([], "say what to train"),
        (["--run", "regnety-tiny.quick", "--trainer.nonsense", "1"], "nonsense"),
    ],
)
def test_unusable_input_is_one_line_and_exit_code_2(
    arguments, message, data_home, tmp_path, capsys
):
    assert main(["fit", "--runs_dir", str(tmp_path), *arguments]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and message in err[0], err


def test_evaluate_refuses_other_classes_and_no_checkpoint(source, tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "nothing.ckpt"), "--data", source]) == 2
    assert "no such checkpoint" in capsys.readouterr().err
