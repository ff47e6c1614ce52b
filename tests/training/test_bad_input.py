"""What ends a run: one line says what was wrong and what remains.

The exit code is 2 before training starts and 1 after.
"""

import os
import shutil
import signal
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from fastscale.data import plain_loader
from fastscale.data.beton import JPG, ROW, ROWS_AT
from fastscale.data.write import write
from fastscale.errors import RunError
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.classifier import ImageClassifier

OPTIMIZER = SimpleNamespace(param_groups=[{"lr": 0.1}])
RUN = "regnety-tiny.wg-x2.quick"


@pytest.fixture
def said(capsys):
    """said() -> the one line on stderr."""

    def line():
        found = capsys.readouterr().err.splitlines()
        assert len(found) == 1 and found[0].startswith("error: "), found
        return found[0]

    return line


def test_a_loss_that_is_no_number(fit_here, tmp_path, said, monkeypatch):
    """The error names step, rate and the last good checkpoint, from which the run can resume."""
    original = ImageClassifier.training_step

    def training_step(self, batch, batch_idx):
        loss = original(self, batch, batch_idx)
        return loss * float("nan") if self.global_step >= 40 else loss

    with monkeypatch.context() as patch:
        patch.setattr(ImageClassifier, "training_step", training_step)
        assert fit_here(tmp_path, epochs=4) == 1
    line, folder = said(), tmp_path / RUN / "seed0"
    assert "the loss is nan at step 50 (epoch 3, learning rate 0.0" in line
    assert (
        f"the last good checkpoint is {folder}/last.ckpt (step 36, epoch 2)" in line
        and "--model.recipe.lr" in line
    )
    content = read_checkpoint(folder)
    assert (
        all(torch.isfinite(v).all() for v in content["state_dict"].values())
        and not (tmp_path / "records.jsonl").exists()
    )
    assert fit_here(tmp_path, epochs=4) == 0


def test_in_float16_one_overflow_is_ignored():
    """GradScaler skips such a step; only a second reading in a row is an error."""
    module = ImageClassifier("regnety-tiny", num_classes=3)
    module.trainer = SimpleNamespace(
        precision="16-mixed",
        checkpoint_callbacks=[],
        current_epoch=0,
        global_step=50,
        optimizers=[OPTIMIZER],
    )
    for loss in (float("inf"), 1.0, float("nan")):
        module.check(loss)
    with pytest.raises(RunError, match="the loss is nan at step 50"):
        module.check(float("nan"))


def test_weights_that_are_no_numbers_are_not_saved(fit_here, tmp_path, said, monkeypatch):
    def on_train_batch_start(self, batch, batch_idx):
        if self.global_step == 20:
            next(self.net.parameters()).data.fill_(float("inf"))
            self.eval()  # so that no loss shows it

    monkeypatch.setattr(
        ImageClassifier, "on_train_batch_start", on_train_batch_start, raising=False
    )
    monkeypatch.setattr(ImageClassifier, "check", lambda self, loss: None)
    assert fit_here(tmp_path) == 1
    assert "the weights are not finite after step 36" in said()
    assert read_checkpoint(tmp_path / RUN / "seed0")["global_step"] == 18


def test_a_real_divergence(fit_here, tmp_path, said):
    assert fit_here(tmp_path, lr=1e30, epochs=1) == 1
    line = said()
    assert "the loss is nan at step 18 (epoch 1" in line or "not finite after step" in line


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_out_of_memory(fit_here, tmp_path, said, monkeypatch, error):
    def training_step(self, batch, batch_idx):
        raise error

    monkeypatch.setattr(ImageClassifier, "training_step", training_step)
    assert fit_here(tmp_path) == 1
    assert "out of memory with 8 images at once: --model.recipe.accumulate 2 halves that" in said()


def test_an_error_in_the_program_is_a_traceback(fit_here, tmp_path, monkeypatch):
    def training_step(self, batch, batch_idx):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(ImageClassifier, "training_step", training_step)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit_here(tmp_path)


def test_a_loaders_worker_that_dies(fit_here, tmp_path, said, monkeypatch):
    """The system kills it, as when memory is full."""
    original, here = plain_loader._Batches.__getitem__, os.getpid()

    def getitem(self, wanted):
        if os.getpid() != here and wanted[1] == 1:  # in the second epoch
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, wanted)

    monkeypatch.setattr(plain_loader._Batches, "__getitem__", getitem)
    assert fit_here(tmp_path, "--data.loader", "plain") == 1
    line = said()
    assert "a process that loads images was killed" in line and "(step 18, epoch 1)" in line


@pytest.mark.parametrize("workers", ["0", "1"])
def test_an_image_that_cannot_be_read(fit_here, image_folder, tmp_path, said, workers):
    broken = tmp_path / "images"
    shutil.copytree(image_folder, broken)
    (broken / "train" / "red" / "07.png").write_bytes(b"no image")
    assert (
        fit_here(
            tmp_path / "runs",
            "--data.source",
            f"folder:{broken}",
            "--data.loader",
            "plain",
            "--data.workers",
            workers,
        )
        == 1
    )
    line = said()
    assert "07.png" in line and "checkpoint" in line


def test_a_written_image_that_is_damaged(fit_here, image_folder, data_home, tmp_path, said):
    """Bytes of one stored JPEG are overwritten: FFCV's decoder would show the previous image."""
    folder = Path(shutil.copytree(image_folder, tmp_path / "large"))
    for file in folder.rglob("*.png"):
        with Image.open(file) as image:
            large = image.resize((80, 80))  # small ones are stored raw
        large.save(file)
    write(f"folder:{folder}", progress=lambda line: None)
    (beton,) = data_home.glob("large*/beton/train.beton")
    stored = np.fromfile(beton, ROW, count=6, offset=ROWS_AT)["image"][5]
    assert stored["mode"] == JPG
    with open(beton, "r+b") as file:
        file.seek(int(stored["pointer"]))
        file.write(b"\0" * 64)
    assert fit_here(tmp_path / "runs", "--data.source", f"folder:{folder}") == 2
    line = said()
    assert "train.beton: damaged" in line and "fastscale data write" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--model.recipe.batch_size", "1000"],
            "batch_size 1000 is more than the 144 training images",
        ),
        (["--data.source", "folder:/no/such/folder"], "/no/such/folder"),
        (
            ["--seed_everything", "-1"],
            "--seed_everything must be a whole number from 0 to 4294967295, got -1",
        ),
        (
            ["--trainer.max_epochs", "3"],
            "max_epochs follows from the recipe's --model.recipe.epochs: use that instead",
        ),
        (["--trainer.accumulate_grad_batches=2"], "the recipe's --model.recipe.accumulate"),
        (["--data.batch_size", "4"], "the recipe's --model.recipe.batch_size"),
        (["--model.num_classes", "10"], "the data that --data.source names"),
        (["--model.seed", "1"], "--seed_everything"),
        (["--trainer.precision", "15-mixed"], "precision"),
        (["--trainer.accelerator", "abacus"], "accelerator"),
        (["--trainer.accelerator", "gpu", "--trainer.devices", "9"], "gpu"),
        (["--trainer.strategy", "ddpp"], "strategy"),
        (["--trainer.strategy", "fsdp"], "strategy must be auto or ddp"),
        (["--trainer.sync_batchnorm", "true"], "GPUs only"),
        (["--config", "/no/such/config.yaml"], "config.yaml"),
        (["--trainer.devices", "-3"], "--trainer.devices must be a number from 1"),
        (["--trainer.check_val_every_n_epoch", "0"], "must be a whole number from 1, got 0"),
        (["--trainer.val_check_interval", "0"], "must be above 0 to 1.0 of an epoch"),
        (["--trainer.log_every_n_steps", "0"], "must be a whole number from 1, got 0"),
        (["--trainer.gradient_clip_val", "-1"], "must be a finite number from 0"),
        (["--trainer.gradient_clip_val", ".nan"], "must be a finite number from 0"),
        (["--model.recipe.ema_rate", "inf"], "ema_rate"),
        (["--model.recipe.mixup", "inf"], "mixup"),
    ],
)
def test_before_anything_is_started(fit_here, tmp_path, said, options, message):
    assert fit_here(tmp_path, *options) == 2
    assert message.lower() in said().lower() and not (tmp_path / "records.jsonl").exists()


@pytest.mark.parametrize(
    ("option", "text", "key"),
    [
        ("--config", "trainer: {max_epochs: 3}", "trainer.max_epochs"),
        ("--trainer", "max_epochs: 3", "trainer.max_epochs"),
        ("--config", "data: {batch_size: 4}", "data.batch_size"),
    ],
)
def test_what_follows_from_others_in_a_file(option, text, key, fit_here, tmp_path, said):
    """Without an error it would be ignored silently."""
    (tmp_path / "own.yaml").write_text(text)
    assert fit_here(tmp_path, option, str(tmp_path / "own.yaml")) == 2
    assert f"own.yaml: {key} follows from the recipe's" in said()


def test_classes_that_are_wrong(fit_here, image_folder, tmp_path, said):
    """An empty class, and a class in one split only, with the loader that reads the files."""
    for name, change in (("empty", "train/green"), ("differing", "val/green")):
        folder = tmp_path / name
        shutil.copytree(image_folder, folder)
        shutil.rmtree(folder / change)
        if name == "empty":
            (folder / change).mkdir()
        assert (
            fit_here(
                tmp_path / "runs", "--data.source", f"folder:{folder}", "--data.loader", "plain"
            )
            == 2
        )
        assert "green" in said()


def test_a_port_in_use(fit_here, tmp_path, said, monkeypatch):
    """Without an error, two processes would wait for each other at another program's port."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        assert (
            fit_here(
                tmp_path,
                "--trainer.accelerator",
                "cpu",
                "--trainer.devices",
                "2",
                "--trainer.strategy",
                "ddp",
            )
            == 2
        )
    assert "MASTER_PORT=" in (line := said()) and "a free one is found" in line


def test_a_batch_that_processes_cannot_share(fit_here, tmp_path, said):
    assert (
        fit_here(
            tmp_path,
            "--trainer.accelerator",
            "cpu",
            "--trainer.devices",
            "2",
            "--trainer.strategy",
            "ddp",
            batch_size=9,
        )
        == 2
    )
    assert "batch_size 9 cannot be shared by 2 processes" in said()
