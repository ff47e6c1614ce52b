"""A run's folder holds that run's files: one line refuses and names anything else."""

import copy
import json
import shutil

import pytest
import torch

from fastscale.records import RecordStore
from fastscale.training.checkpoint_io import digest_file, read_checkpoint, write_checkpoint

pytestmark = pytest.mark.slow
RUN = "regnety-tiny.wg-x2.quick"


@pytest.fixture
def trained(fit_here, tmp_path, capsys):
    """(folder, again, said): a finished run whose record is gone, fit on it again, its one line."""
    assert fit_here(tmp_path, epochs=1) == 0
    folder = tmp_path / RUN / "seed0"
    (folder / "record.json").unlink()
    (tmp_path / "records.jsonl").unlink()

    def said():
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), lines
        return lines[0]

    capsys.readouterr()
    return folder, lambda *options: fit_here(tmp_path, *options, epochs=1), said


def test_another_runs_checkpoint_is_refused(trained, tmp_path):
    folder, again, said = trained
    path = folder / "last.ckpt"
    content = read_checkpoint(path)
    own = content["trained_with"]
    assert own["run"] == RUN and own["data_hash"] and own["stored"] == {}
    changes = {
        "seed 1, not 0": lambda c: c["hyper_parameters"].update(seed=1),
        "recipe.lr 0.1, not 0.05": lambda c: c["hyper_parameters"]["recipe"].update(lr=0.1),
        "arch regnety-tiny, not": lambda c: c["hyper_parameters"].update(arch="regnety-tiny"),
        "run other.quick, not": lambda c: c["trained_with"].update(run="other.quick"),
        "other images, labels": lambda c: c["trained_with"].update(data_hash="0" * 64),
        "images stored as": lambda c: c["trained_with"].update(stored={"jpeg_quality": 5}),
        "trainer.gradient_clip_val 1.0": lambda c: c["trained_with"]["trainer"].update(
            gradient_clip_val=1.0
        ),
        "other mean": lambda c: c["hyper_parameters"].update(mean=[1.0, 2.0, 3.0]),
    }
    for words, change in changes.items():
        other = copy.deepcopy(content)
        change(other)
        write_checkpoint(other, path)
        assert again() == 2
        line = said()
        assert words in line and "--restart" in line
        assert not (tmp_path / "records.jsonl").exists()
    write_checkpoint(content, path)
    assert again("--data.shrink_jpegs", "true") == 2 and "shrink_jpegs" in said()


def test_a_checkpoint_that_cannot_resume_is_refused(trained, tmp_path):
    folder, again, said = trained
    path = folder / "last.ckpt"
    whole = read_checkpoint(path)
    nan, inf = float("nan"), float("inf")
    progress = "epoch_loop.batch_progress"

    def loops(**changes):
        return lambda c: c["loops"]["fit_loop"].update(changes)

    def weight(name, value):
        return lambda c: c["state_dict"][name].fill_(value)

    changes = [
        lambda c: c.pop("loops"),
        lambda c: c.update(loops=[1]),
        lambda c: c.update(loops={"fit_loop": {}}),
        loops(epoch_progress=None),
        loops(**{progress: {"total": "many"}}),
        loops(**{"epoch_loop.automatic_optimization.optim_progress": {"optimizer": 3}}),
        lambda c: c.pop("optimizer_states"),
        lambda c: c.update(optimizer_states=[{}]),
        lambda c: c.update(optimizer_states="none"),
        lambda c: c["optimizer_states"][0].update(state={0: {"momentum_buffer": torch.ones(2)}}),
        lambda c: c["optimizer_states"][0]["state"][0]["momentum_buffer"].fill_(nan),
        lambda c: c["optimizer_states"][0]["param_groups"][0].update(lr="fast"),
        lambda c: c.pop("lr_schedulers"),
        lambda c: c["lr_schedulers"][0].update(base_lrs=[1.0, 1.0]),
        lambda c: c["lr_schedulers"][0].update(last_epoch=-4),
        lambda c: c.update(global_step=10**9),
        lambda c: c.update(global_step=10**400),
        lambda c: c.update(global_step=nan),
        lambda c: c.update(epoch="first"),
        lambda c: c.update(callbacks=[1]),
        lambda c: c["callbacks"].update(SpeedMonitor={"epochs": 7}),
        lambda c: c["callbacks"].update(SpeedMonitor={"epochs": [{"epoch_time_s": nan}]}),
        lambda c: c.update(train_loss="low"),
        lambda c: c.update(errors={"top1_error": nan}),
        lambda c: c["hyper_parameters"].update(arch="regnety-4gf.dWr-x1000000"),
        weight("net.stem.conv.weight", nan),
        weight("net.stem.norm.running_var", inf),
        weight("ema.stem.norm.running_mean", nan),
        lambda c: c["state_dict"].update({"net.stem.conv.weight": torch.ones(1).expand(9**9)}),
    ]
    for number, change in enumerate(changes):
        content = copy.deepcopy(whole)
        change(content)
        write_checkpoint(content, path)
        assert again() == 2, number
        assert "last.ckpt" in said() or number in (20, 21), number
        assert not (tmp_path / "records.jsonl").exists()
    write_checkpoint(whole, path)
    assert again() == 0


def test_bits_that_flipped(trained):
    """Anywhere in the file: the digest beside it shows that; an older file has none."""
    folder, again, said = trained
    path = folder / "last.ckpt"
    whole = path.read_bytes()
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 3000):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert again() == 2
        line = said()
        assert "last.ckpt" in line and "--restart" in line
    path.write_bytes(whole)
    digest_file(path).unlink()
    assert again() == 0 and digest_file(path).exists() is False


def test_an_older_checkpoint_resumes(trained, tmp_path):
    """It lacks what is written today: origin, errors, digest."""
    folder, again, _ = trained
    path = folder / "last.ckpt"
    content = read_checkpoint(path)
    for name in ("errors", "epoch_loss", "unvalidated", "ended"):
        del content[name]
    for name in ("run", "data", "data_hash", "stored", "trainer"):
        del content["trained_with"][name]
    del content["hyper_parameters"]["recipe"]["layout"]
    write_checkpoint(content, path)
    digest_file(path).unlink()
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**settings, "gradient_clip_val": None}))
    assert again() == 0
    assert len(RecordStore(tmp_path / "records.jsonl").read()) == 1
    assert read_checkpoint(path)["errors"]


def test_another_runs_record_does_not_count(fit_here, tmp_path, capsys):
    assert fit_here(tmp_path, epochs=1) == 0
    file = tmp_path / RUN / "seed0" / "record.json"
    whole = json.loads(file.read_text())
    changes = [{"seed": 1}, {"run": "a.b"}, {"arch": "regnety-tiny"}, {"recipe_hash": "x"}]
    for change in [*changes, {"data": "other"}, {"data_hash": "0" * 64}, {"flops": 10**400}]:
        file.write_text(json.dumps({**whole, **change}))
        capsys.readouterr()
        assert fit_here(tmp_path, epochs=1) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "record.json" in err and "remove it" in err
    for garbage in (b"\xff\xfe", b"[" * 100_000, b"[1]", b"{}"):
        file.write_bytes(garbage)
        assert fit_here(tmp_path, epochs=1) == 2
        assert capsys.readouterr().err.count("\n") == 1
        (file.parent / "settings.json").write_bytes(garbage)
        assert fit_here(tmp_path, epochs=1) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert fit_here(tmp_path / "copy", epochs=1) == 0 if garbage == b"{}" else True


def test_one_record_whatever_dies_when(fit_here, tmp_path, monkeypatch):
    """A process dies between the last checkpoint, record.json and the store."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    for name, target in (("finish", "runs.RunFolder.finish"), ("append", None)):
        with monkeypatch.context() as patch:
            if target:
                patch.setattr(f"fastscale.training.{target}", killed)
            else:
                patch.setattr(RecordStore, "append", killed)
            with pytest.raises(Killed):
                fit_here(tmp_path / name, epochs=1)
        for _ in range(2):
            assert fit_here(tmp_path / name, epochs=1) == 0
            (record,) = RecordStore(tmp_path / name / "records.jsonl").read()
            file = tmp_path / name / RUN / "seed0" / "record.json"
            assert file.read_text() == record.to_json() + "\n"
            assert "train_loss" in record.values and "epoch_time_s" in record.values


def test_links_are_replaced_not_followed(fit_here, tmp_path):
    """A link in place of any file of a run: its target stays unchanged."""
    assert fit_here(tmp_path, epochs=1) == 0
    folder, canary = tmp_path / RUN / "seed0", tmp_path / "canary"
    names = ["last.ckpt", "settings.json", "config.yaml", "progress.json", "record.json"]
    shutil.rmtree(folder)
    folder.mkdir()
    canary.write_text("mine")
    for name in names:
        (folder / f"{name}.part").symlink_to(canary)
    for name in ("last.ckpt", "config.yaml", "progress.json", "last.ckpt.sha256"):
        (folder / name).symlink_to(tmp_path / "nowhere")
    assert fit_here(tmp_path, "--restart", epochs=1) == 0
    assert canary.read_text() == "mine" and not (tmp_path / "nowhere").exists()
    (tmp_path / "records.jsonl").unlink()
    (tmp_path / "records.jsonl").symlink_to(canary)
    (folder / "record.json").unlink()
    assert fit_here(tmp_path, epochs=1) == 2 and canary.read_text() == "mine"
