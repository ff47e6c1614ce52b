"""Run folders and checkpoints: one writer, one setting, complete files, no code run from them."""

import os
import subprocess
import sys

import pytest
import torch

from fastscale.errors import InputError
from fastscale.training.atomic_io import AtomicCheckpointIO
from fastscale.training.checkpoint_io import read_checkpoint
from fastscale.training.runs import RunFolder, differences


def test_folders_are_one_level_a_name(tmp_path):
    for name in ("regnety-tiny.alpha=2/3-x4.quick", "regnety-tiny.d1_w4_g4_r1-x4.quick"):
        path = RunFolder(tmp_path, name, 1).path
        assert path == tmp_path / "regnety-tiny.d1_w4_g4_r1-x4.quick" / "seed1"


def test_a_folder_of_an_old_spelling_is_the_runs(tmp_path):
    old = tmp_path / "regnety-tiny.alpha=2-over-3-x4.quick"
    (old / "seed1").mkdir(parents=True)
    for name in ("regnety-tiny.alpha=2/3-x4.quick", "regnety-tiny.d1_w4_g4_r1-x4.quick"):
        folder = RunFolder(tmp_path, name, 1)
        assert folder.path == old / "seed1"
        assert folder.run == "regnety-tiny.d1_w4_g4_r1-x4.quick"
    (old / "seed1" / "settings.json").write_text(
        '{"arch": "regnety-tiny.alpha=2/3-x4", "data_hash": "a"}'
    )
    folder.claim({"arch": "regnety-tiny.d1_w4_g4_r1-x4", "data_hash": "a"})  # the same settings


def test_a_second_process_is_kept_out(tmp_path):
    folder = RunFolder(tmp_path, "a", 0)
    code = (
        "import sys; from fastscale.training.runs import RunFolder\n"
        "with RunFolder(sys.argv[1], 'a', 0).locked(): pass"
    )
    with folder.locked():
        held = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
        )
    free = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert held.returncode == 1 and "another process is training this run" in held.stderr
    assert free.returncode == 0


def test_a_folder_belongs_to_one_setting(tmp_path):
    folder = RunFolder(tmp_path, "a", 0)
    with folder.locked():
        folder.claim({"recipe": {"lr": 1.0, "epochs": 2}})
        folder.claim({"recipe": {"lr": 1.0, "epochs": 2}})
        folder.checkpoint.write_bytes(b"x")
        with pytest.raises(InputError, match=r"other settings \(recipe\.lr\)"):
            folder.claim({"recipe": {"lr": 0.5, "epochs": 2}})
        assert folder.checkpoint.exists()
        folder.claim({"recipe": {"lr": 0.5, "epochs": 2}}, restart=True)
        assert not folder.checkpoint.exists()


def test_differences_are_named():
    assert sorted(
        differences({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"c": 2, "d": 2}, "e": 0})
    ) == ["b.c", "e"]


def test_checkpoints_are_whole_or_absent(tmp_path, monkeypatch):
    io, path = AtomicCheckpointIO(), tmp_path / "sub" / "last.ckpt"
    io.save_checkpoint({"state_dict": {"x": torch.ones(3)}}, path)
    before = path.read_bytes()

    def cut(content, file):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", cut)
    with pytest.raises(OSError, match="No space"):
        io.save_checkpoint({}, path)
    assert path.read_bytes() == before


class Boom:
    def __reduce__(self):
        return os.system, ("echo code ran > /dev/stderr",)


def test_checkpoints_that_would_run_code_are_refused(tmp_path, capfd):
    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": {"arch": Boom()}}, path)
    with pytest.raises(InputError, match="refused: reading it would run code"):
        read_checkpoint(path)
    assert "code ran" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "last.ckpt: empty; give another checkpoint"),
        (b"PK\x03\x04 nonsense", "last.ckpt: cut short; give another"),
        (b"\x80\x02}q\x00", "cut short, or not written by torch.save"),
        (b"i am a text", "last.ckpt: not a file of weights; give"),
        (None, "no such checkpoint"),
    ],
)
def test_unreadable_checkpoints(tmp_path, content, message):
    path = tmp_path / "last.ckpt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path if content is not None else path)


def test_a_foreign_checkpoint_is_named(tmp_path):
    torch.save({"state_dict": {}, "hyper_parameters": {}}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match="names no arch"):
        read_checkpoint(tmp_path / "x.ckpt")
