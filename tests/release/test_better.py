"""Raw or averaged weights: one rule for load, predict, export, evaluate and publish."""

import json
import shutil

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.release.load import open_checkpoint
from fastscale.training import better
from fastscale.training.better import better_weights
from fastscale.training.checkpoint_io import read_checkpoint

RUN = "regnety-tiny.quick"


@pytest.fixture
def run(runs, tmp_path, monkeypatch):
    """run(raw, ema, where): a copy of a finished seed with these errors recorded."""
    better.say_once.cache_clear()
    monkeypatch.setenv("FASTSCALE_DATA", str(runs[2]))

    def make(raw, ema, where="record"):
        folder = tmp_path / "runs" / RUN / "seed0"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(runs[0] / RUN / "seed0", folder)
        errors = {"top1_error": raw, "top1_error_ema": ema}
        record = json.loads((folder / "record.json").read_text())
        if where == "record":
            record["values"] |= errors
            (folder / "record.json").write_text(json.dumps(record))
            return folder
        content = torch.load(folder / "last.ckpt", weights_only=True)
        for file in folder.glob("last.ckpt*"):
            file.unlink()
        torch.save({**content, "errors": errors}, folder / "last.ckpt")
        if where == "checkpoint":
            (folder / "record.json").unlink()
        else:  # a record of an earlier state does not apply
            record |= {"epochs": 7, "values": {"top1_error": 0.0, "top1_error_ema": 99.0}}
            (folder / "record.json").write_text(json.dumps(record))
        return folder

    return make


def which(folder, net):
    state = read_checkpoint(folder)["state_dict"]
    return next(
        kind
        for kind, prefix in (("raw", "net."), ("ema", "ema."))
        if all(torch.equal(v, state[prefix + k]) for k, v in net.state_dict().items())
    )


@pytest.mark.parametrize(
    ("errors", "averaged", "taken"),
    [
        ({"top1_error": 0.0, "top1_error_ema": 66.67}, True, "raw"),
        ({"top1_error": 66.67, "top1_error_ema": 0.0}, True, "ema"),
        ({"top1_error": 5.0, "top1_error_ema": 5.0}, True, "ema"),
        ({"top1_error": 5.0}, True, "ema"),
        (None, True, "ema"),
        ({}, True, "ema"),
        (None, False, "raw"),
        ({"top1_error": 5.0, "top1_error_ema": 1.0}, False, "raw"),
    ],
)
def test_the_lower_recorded_error(errors, averaged, taken):
    assert better_weights(errors, averaged) == taken


@pytest.mark.parametrize("where", ["record", "checkpoint", "old record"])
def test_load_takes_the_better_weights_and_prints_a_line(run, where, capsys):
    folder = run(0.0, 66.67, where)
    assert which(folder, fs.load(folder)) == "raw"
    err = capsys.readouterr().err
    assert "0.00 % with raw weights, 66.67 % with averaged ones: the raw ones are used" in err
    assert err.count("\n") == 1
    fs.load(folder)
    assert not capsys.readouterr().err  # once
    assert which(folder, fs.load(folder, weights="ema")) == "ema"
    assert open_checkpoint(folder, "raw").about.weights == "raw"
    folder = run(66.67, 0.0, where)
    assert which(folder, fs.load(folder)) == "ema"
    assert which(folder, fs.load(folder, weights="raw")) == "raw"


@pytest.mark.parametrize("steps", [7, 8])
def test_a_run_that_ended_within_an_epoch(run, steps):
    """Its record must have the same step, otherwise it does not apply to these weights."""
    folder = run(0.0, 66.67)
    record = json.loads((folder / "record.json").read_text())
    record |= {"epochs": 0, "env": {**record["env"], "finished": "early", "steps": steps}}
    (folder / "record.json").write_text(json.dumps(record))
    content = torch.load(folder / "last.ckpt", weights_only=True)
    content |= {"global_step": 7, "errors": {"top1_error": 66.67, "top1_error_ema": 0.0}}
    for file in folder.glob("last.ckpt*"):
        file.unlink()
    torch.save(content, folder / "last.ckpt")
    assert which(folder, fs.load(folder)) == ("raw" if steps == 7 else "ema")


def test_a_difference_below_a_point_is_not_printed(run, capsys):
    folder = run(10.0, 10.9)
    assert which(folder, fs.load(folder)) == "raw" and not capsys.readouterr().err
    with pytest.raises(InputError, match="weights 'averaged': choose one of auto, raw, ema"):
        fs.load(folder, weights="averaged")


def test_predict_and_export_take_them(run, image_folder, tmp_path, capsys):
    folder = run(0.0, 66.67)
    picture = str(image_folder / "val" / "red" / "00.png")

    def shares(*more):
        argv = ["predict", picture, "--checkpoint", str(folder), "--json", "--top", "3", *more]
        assert main(argv) == 0
        found = json.loads(capsys.readouterr().out)[0]["top"]
        return {t["class"]: t["probability"] for t in found}

    assert shares() == shares("--weights", "raw") != shares("--weights", "ema")
    out = tmp_path / "a.pt2"
    argv = ["export", str(folder), str(out), "--normalised"]
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for more, kind in (([], "raw"), (["--weights", "ema"], "ema")):
        assert main([*argv, *more]) == 0
        logits = torch.export.load(out).module()(x)
        torch.testing.assert_close(logits, fs.load(folder, weights=kind)(x), rtol=1e-3, atol=1e-4)


def test_evaluate_gives_both_or_one(run, capsys):
    folder = str(run(0.0, 66.67))
    found = {}
    for kind in ("auto", "raw", "ema"):
        assert main(["evaluate", folder, "--weights", kind]) == 0
        lines = capsys.readouterr().out.splitlines()
        found[kind] = {name: value for name, value, _ in map(str.split, lines)}
    assert set(found["auto"]) == {"top1_error", "top1_error_ema"}
    assert found["raw"] | found["ema"] == found["auto"]
    assert set(found["raw"]) == {"top1_error"}


def test_the_choice_does_not_depend_on_the_data_evaluated(run, image_folder, tmp_path, capsys):
    """The recorded errors decide, as for `predict`."""
    other = tmp_path / "other"
    for split in ("train", "val"):
        for name, named in {"red": "green", "green": "blue", "blue": "red"}.items():
            shutil.copytree(image_folder / split / name, other / split / named)
    words = ["evaluate", str(run(0.0, 66.67)), "--data", str(other), "--data.loader", "plain"]
    assert main(words) == 0
    err = capsys.readouterr().err
    assert "0.00 % with raw weights, 66.67 % with averaged ones: the raw ones are used" in err


def test_a_released_file_has_one_set(release):
    entry, _ = release()
    assert fs.load(entry.short, weights="raw") is not None
    with pytest.raises(InputError, match="holds raw weights only; leave --weights out"):
        fs.load(entry.short, weights="ema")
