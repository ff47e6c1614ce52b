"""From a trained run to a released file and back: the same error, the right weights and seed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fastscale as fs
from fastscale.cli import main
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.records import Record, RecordStore
from fastscale.release import places
from fastscale.release.card import card, index
from fastscale.release.checkpoint import from_training
from fastscale.release.folder import write_cards
from fastscale.release.manifest import manifest_text, read_manifest
from fastscale.release.publish import inherited_licence, publish
from fastscale.release.seeds import Seed, choose, errors_over, finished
from fastscale.release.verify import verify
from fastscale.training.checkpoint_io import read_checkpoint

RUN = "regnety-tiny.quick"


def command(capsys, *argv):
    code = main(list(map(str, argv)))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def own_runs(runs, tmp_path):
    """A copy of the runs, to damage."""
    shutil.copytree(runs[0], tmp_path / "runs")
    return tmp_path / "runs"


def test_publish_load_evaluate_gives_the_recorded_error(runs, data_of_runs, tmp_path, capsys):
    folder, source, _ = runs
    code, out, err = command(
        capsys,
        "checkpoint",
        "publish",
        RUN,
        "--runs_dir",
        folder,
        "--url",
        "https://example.org/v1/{file}",
    )
    assert code == 0, err
    (entry,) = places.released()
    home = tmp_path / "checkpoints"
    records = [
        Record.from_json((folder / RUN / f"seed{k}" / "record.json").read_text()) for k in (0, 1)
    ]
    assert (
        entry.name.startswith("regnety-tiny_colours-")
        and entry.short in out
        and entry.urls == (f"https://example.org/v1/{entry.file}",)
    )
    assert entry.record_ids == tuple(r.id for r in records) and [
        r.id for r in RecordStore(home / "records.jsonl").read()
    ] == [r.id for r in records]
    for count in ("flops", "params", "acts"):
        assert getattr(entry, count) == getattr(records[0], count)
    # neither optimizer state nor a second set of weights
    assert entry.bytes == (home / entry.file).stat().st_size < 150_000

    kind = "_ema" if entry.weights == "averaged" else ""
    recorded = records[entry.seed].values
    assert 0 < recorded["top1_error" + kind] < 66  # it has learned, so a wrong network would show
    assert entry.errors["top1_error"]["value"] == recorded["top1_error" + kind]
    values = [r.values["top1_error" + kind] for r in records]
    assert entry.errors["top1_error"]["n"] == 2 and entry.errors["top1_error"][
        "mean"
    ] == pytest.approx(sum(values) / 2, abs=1e-4)

    code, out, err = command(capsys, "evaluate", entry.short, "--data", source)
    assert code == 0, err
    assert {k: float(v) for k, v, _ in map(str.split, out.splitlines())} == {
        "top1_error": recorded["top1_error" + kind]
    }
    code, _, err = command(capsys, "evaluate", entry.short)
    assert (
        code == 2
        and "say on which data to evaluate it: --data SOURCE" in err
        and err.count("\n") == 1
    )
    content = read_checkpoint(folder / RUN / f"seed{entry.seed}")["state_dict"]
    prefix = "ema." if kind else "net."
    net = fs.load(home / entry.file)
    assert all(torch.equal(v, content[prefix + k]) for k, v in net.state_dict().items())

    before = {p.name: p.read_bytes() for p in home.iterdir()}
    # again, without the address: the same file and name
    assert publish(RUN, folder)[0] == replace(entry, urls=())
    after = {p.name: p.read_bytes() for p in home.iterdir()}
    assert (
        before.keys() == after.keys()
        and before[entry.file] == after[entry.file]
        and before["records.jsonl"] == after["records.jsonl"]
    )

    code, out, _ = command(capsys, "checkpoint", "verify", "--data", source)
    assert code == 0 and "as released" in out
    assert "on all 21 images" in out and "agree with the manifest" in out
    code, out, _ = command(
        capsys, "checkpoint", "verify", entry.short, "--images", 9, "--data", source
    )
    assert code == 0 and "on 9 of 21 images" in out
    code, out, _ = command(capsys, "checkpoint", "load-test")
    assert code == 0 and "(1, 3, 32, 32) -> (1, 3)" in out
    code, out, _ = command(capsys, "checkpoint", "list", "--json")
    assert json.loads(out)[0]["sha256"] == entry.sha256
    code, out, _ = command(capsys, "checkpoint", "show", entry.short)
    assert code == 0 and out.rstrip() == (home / f"{entry.name}.md").read_text().rstrip()
    for word in (
        "## Results",
        "## Counts",
        "## How it was trained",
        "## How to load it",
        "## Limits",
        f"{entry.flops:,}",
        entry.sha256,
    ):
        assert word in out
    assert f"({entry.name}.md)" in (home / "README.md").read_text()


def test_float16_is_released_when_its_error_is_the_same(runs, data_of_runs, tmp_path, monkeypatch):
    entry, path = publish(RUN, runs[0], dtype="float16", tolerance=0.0)
    assert entry.dtype == "float16" and fs.load(path).head.fc.weight.dtype == torch.float32
    import fastscale.release.checkpoint as module

    def spoil(weights, dtype):
        coarse = {
            k: v.half() if v.is_floating_point() and v.dim() > 1 else v for k, v in weights.items()
        }
        return {k: v * 0 if k.startswith("head.fc") else v for k, v in coarse.items()}

    monkeypatch.setattr(module, "stored", spoil)
    apart = "the top1_error is .* %, recorded is .* %, more than 0.02 apart"
    with pytest.raises(InputError, match=f"not released: in float16 {apart}"):
        publish(RUN, runs[0], tmp_path / "none", dtype="float16")
    assert not (tmp_path / "none").exists()


def fake(seed, raw, averaged=None):
    values = {"top1_error": raw} | ({} if averaged is None else {"top1_error_ema": averaged})
    own = {
        "run": RUN,
        "arch": "regnety-tiny",
        "base": "regnety-tiny",
        "strategy": None,
        "factor": 1,
        "resolution": 32,
        "num_classes": 10,
    }
    env = {"device": "x", "date": "2026-01-01"}
    return Seed(
        Path(f"seed{seed}"),
        Record(kind="train", **own, flops=1, params=1, acts=1, seed=seed, values=values, env=env),
    )


def test_averaged_or_raw_by_the_mean_and_the_seed_nearest_to_it():
    seeds = [fake(0, 10.0, 12.0), fake(1, 20.0, 13.0), fake(2, 30.0, 17.5)]
    kind, chosen = choose(seeds)
    assert kind == "_ema" and chosen.record.seed == 1  # mean 14.17: neither best nor worst
    assert errors_over(seeds, chosen, kind)["top1_error"] == {
        "value": 13.0,
        "n": 3,
        "mean": pytest.approx(42.5 / 3, abs=1e-12),  # not rounded
        "std": pytest.approx(2.92973264, abs=1e-8),
        "seeds": [0, 1, 2],
    }
    kind, chosen = choose([fake(0, 10.0, 12.0), fake(1, 11.0, 12.0)])
    assert kind == "" and chosen.record.seed == 0  # equally near: the first
    assert choose([fake(0, 10.0), fake(1, 14.0), fake(2, 11.0)])[1].record.seed == 2
    assert errors_over([seeds[0]], seeds[0], "")["top1_error"]["std"] is None
    assert choose(seeds, seeds[2]) == ("_ema", seeds[2])  # the seed named


def test_a_run_by_name_folder_or_seed(runs):
    folder = runs[0]
    for what in (RUN, folder / RUN, str(folder / RUN)):
        seeds, named = finished(what, folder)
        assert [s.record.seed for s in seeds] == [0, 1] and named is None
    assert finished(folder / RUN / "seed1", folder)[1].record.seed == 1


def test_an_unfinished_or_inconsistent_run_is_refused(own_runs, data_of_runs, tmp_path, capsys):
    folder = own_runs / RUN

    def refused(message, *more):
        code, _, err = command(capsys, "checkpoint", "publish", RUN, "--runs_dir", own_runs, *more)
        assert code == 2 and message in err and err.count("\n") == 1, err

    refused("wanted an http(s) address", "--url", "file:///x/{file}")
    refused("wanted an http(s) address", "--url", "https://example.org/other")
    refused("is not a hub repository", "--hub", "../x")
    code, _, err = command(
        capsys, "checkpoint", "publish", "regnety-tiny.nothing", "--runs_dir", own_runs
    )
    assert code == 2 and "no such run" in err
    record = json.loads((folder / "seed1" / "record.json").read_text())
    (folder / "seed1" / "record.json").write_text(json.dumps({**record, "recipe_hash": "other"}))
    refused("its seeds differ in recipe_hash")
    (folder / "seed1" / "record.json").unlink()
    code, _, err = command(capsys, "checkpoint", "publish", folder / "seed1")
    assert code == 2 and "holds no finished run" in err
    record = json.loads((folder / "seed0" / "record.json").read_text())
    wrong = {k: (v + 30) % 100 if "error" in k else v for k, v in record["values"].items()}
    (folder / "seed0" / "record.json").write_text(json.dumps({**record, "values": wrong}))
    refused("not released: in float32 the top1_error is")
    (folder / "seed0" / "record.json").write_text(json.dumps({**record, "data_hash": "0" * 64}))
    refused("not the images that regnety-tiny.quick was evaluated on")
    (folder / "seed0" / "record.json").write_text(json.dumps({**record, "seed": 5}))
    refused("record.json: the record of regnety-tiny.quick, seed 5, not of")
    assert not (tmp_path / "checkpoints").exists()


def test_verify_names_the_problem(runs, data_of_runs, tmp_path, capsys):
    folder, source, _ = runs
    entry, path = publish(RUN, folder)
    manifest = tmp_path / "checkpoints" / "manifest.json"
    whole = manifest.read_text()
    assert not verify(entry, source).problems

    def wrong(entry, **more):
        return " ".join(verify(entry, source, **more).problems)

    off = {**entry.errors["top1_error"], "value": entry.errors["top1_error"]["value"] + 20}
    found = wrong(replace(entry, errors={"top1_error": off}))
    assert "on all 21 images, manifest" in found and f"the record of seed {entry.seed}" in found
    assert "mean is 1.0, that of its records" in wrong(
        replace(entry, errors={"top1_error": {**off, "mean": 1.0}}), evaluate=False
    )
    assert "flops: the manifest and record" in wrong(replace(entry, flops=7), evaluate=False)
    assert "the header says weights" in wrong(replace(entry, weights="imported"), evaluate=False)
    assert "is not the data of the manifest" in wrong(replace(entry, data_hash="0" * 64))
    assert "record 0123 is not in records.jsonl" in wrong(
        replace(entry, record_ids=("0123", "4567")), evaluate=False
    )
    assert f"val_images: the manifest says 22, {entry.data} here has 21" in wrong(
        replace(entry, val_images=22)
    )
    code, out, err = command(capsys, "checkpoint", "verify")
    assert (
        code == 1
        and "could not be evaluated" in out
        and "WRONG" not in out
        and "--data SOURCE" in err
        and "  records: " in out
    )
    with pytest.raises(InputError, match="--tolerance 100: wanted percentage points from 0 to 1"):
        publish(RUN, folder, tolerance=100)
    path.write_bytes(path.read_bytes()[:-4] + b"????")
    code, out, err = command(capsys, "checkpoint", "verify")
    assert code == 1 and "WRONG" in out and "not the released file" in err
    code, _, err = command(capsys, "checkpoint", "load-test")
    assert code == 1 and "not the released file" in err and manifest.read_text() == whole


def test_the_committed_cards_are_made_from_the_committed_manifest(monkeypatch):
    """Every error and count in it comes from its records and the arch."""
    monkeypatch.delenv("FASTSCALE_CHECKPOINTS")
    shipped = home().checkpoints
    entries, records = (
        read_manifest(shipped / "manifest.json"),
        {r.id: r for r in RecordStore(shipped / "records.jsonl").read()},
    )
    assert (shipped / "README.md").read_text() == index(entries)
    for entry in entries:
        assert (shipped / f"{entry.name}.md").read_text() == card(
            entry, [records[i] for i in entry.record_ids]
        )
        found = verify(entry, evaluate=False)
        assert not found.problems and len(found.lines) == 2
        counts = fs.complexity(entry.arch, entry.resolution, entry.num_classes)
        assert (entry.flops, entry.params, entry.acts) == (counts.flops, counts.params, counts.acts)
    assert "None yet" in index([])


@pytest.mark.parametrize("verb", ["publish", "list", "show", "verify", "load-test", "import"])
def test_every_verb_shows_an_example(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main(["checkpoint", verb, "--help"])
    assert (
        stop.value.code == 0
        and f"fastscale checkpoint {verb}" in capsys.readouterr().out.split("example:")[1]
    )


def test_a_superseded_checkpoint_is_marked_and_still_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FASTSCALE_CHECKPOINTS")
    entry, *others = read_manifest(home().checkpoints / "manifest.json")
    others = [replace(other, superseded=None) for other in others]
    entries = [replace(entry, superseded="evidence-cifar10-16px"), *others]
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest_text(entries))
    (folder / entry.file).write_bytes((home().checkpoints / entry.file).read_bytes())
    write_cards(folder)
    text = (folder / "README.md").read_text()
    assert text.index("## Superseded") < text.index(f"[{entry.short}]")
    assert text.count("\n| [") == len(entries)
    assert "**Superseded** by the networks" in (folder / f"{entry.name}.md").read_text()
    monkeypatch.setenv("FASTSCALE_CHECKPOINTS", str(folder))
    assert main(["checkpoint", "list"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(entry.name) and last.endswith("  superseded")
    assert fs.list_checkpoints()[-1] == entry.name
    assert main(["checkpoint", "list", "--json"]) == 0
    listed = [row["name"] for row in json.loads(capsys.readouterr().out) if "sha256" in row]
    assert listed[-1] == entry.name and len(listed) == len(entries)
    assert fs.load(entry.name).arch.name == entry.arch


@pytest.mark.parametrize(
    ("ancestry", "licence"),
    [
        (None, "MIT"),
        ({"file": "a.b/seed0", "run": "a.b"}, "MIT"),
        ({"name": "efficientnet-lite0", "licence": "Apache-2.0"}, "Apache-2.0"),
        ({"file": "theirs.pth"}, None),
    ],
)
def test_the_licence_is_that_of_the_weights_it_started_from(runs, tmp_path, ancestry, licence):
    (seed, _), _ = finished(RUN, runs[0])
    content = torch.load(seed.path / "last.ckpt", weights_only=True)
    content["trained_with"] |= {"ancestry": ancestry} if ancestry else {}
    torch.save(content, tmp_path / "last.ckpt")
    started = replace(seed, path=tmp_path)
    if licence is None:
        with pytest.raises(
            InputError, match=r"started from theirs.pth, whose licence .* --licence"
        ):
            inherited_licence(started)
    else:
        assert inherited_licence(started) == licence
    if ancestry and "licence" in ancestry:
        assert from_training(content, "raw", tmp_path).about.licence == licence
