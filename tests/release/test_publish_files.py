"""The files of publish: each write is atomic wherever it dies, and the clone stays untouched."""

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from fastscale.cli import main
from fastscale.home import home, using_home
from fastscale.records import Record
from fastscale.release.card import card
from fastscale.release.folder import write_release
from fastscale.release.publish import publish
from fastscale.release.retrain import further_arguments
from fastscale.training.recipe import load_recipe

RUN = "regnety-tiny.quick"


@pytest.fixture
def published(runs, monkeypatch, tmp_path_factory):
    monkeypatch.setenv("FASTSCALE_DATA", str(runs[2]))
    folder = tmp_path_factory.mktemp("once") / "checkpoints"
    entry, path = publish(RUN, runs[0], folder)
    records = [
        Record.from_json((runs[0] / RUN / f"seed{k}" / "record.json").read_text()) for k in (0, 1)
    ]
    return entry, path, records


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not p.name.endswith(".lock")
    }


def test_killed_at_any_write_the_rerun_ends_the_same(published, tmp_path):
    entry, path, records = published
    data = path.read_bytes()

    def write(root, die_at=None):
        (root / "checkpoints").mkdir(parents=True)
        pid = os.fork()
        if pid == 0:  # dies before or after its n-th rename, as if killed
            count, real = 0, os.replace

            def replace(*args):
                nonlocal count
                count += 1
                if die_at == (count, "before"):
                    os._exit(9)
                real(*args)
                if die_at == (count, "after"):
                    os._exit(9)

            os.replace = replace
            write_release(root / "checkpoints", entry, data, records)
            os._exit(count)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    whole = tmp_path / "whole"
    writes = write(whole)
    assert writes == 5  # file, records, manifest, card, index
    for n in range(1, writes + 1):
        for when in ("before", "after"):
            root = tmp_path / f"{n}-{when}"
            assert write(root, (n, when)) == 9
            write_release(root / "checkpoints", entry, data, records)
            assert tree(root) == tree(whole)


def test_links_in_place_of_what_it_writes_are_replaced(published, tmp_path):
    entry, path, records = published
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    names = [entry.file, "manifest.json", "README.md", f"{entry.name}.md"]
    for name in [
        n + end for n in (entry.file, "README.md", f"{entry.name}.md") for end in ("", ".part")
    ]:
        (folder / name).symlink_to(victim)
    write_release(folder, entry, path.read_bytes(), records)
    assert victim.read_text() == "mine"
    assert all((folder / n).is_file() and not (folder / n).is_symlink() for n in names)


def test_another_folder_gets_its_own_checkpoints(runs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FASTSCALE_DATA", str(runs[2]))
    monkeypatch.delenv("FASTSCALE_CHECKPOINTS")
    monkeypatch.chdir(tmp_path)
    clone = home().checkpoints
    before = {p: p.stat().st_mtime_ns for p in [*clone.iterdir(), clone.parent / "README.md"]}
    assert main(["checkpoint", "publish", RUN, "--runs_dir", str(runs[0])]) == 0
    said = capsys.readouterr().out
    path = next(Path("checkpoints").glob("*.safetensors"))
    assert said.startswith(f"{path}: ") and f'fastscale.load("{path}")' in said
    for command in (  # as printed, and as on the card for a file beside it
        next(line for line in said.splitlines() if line.startswith("check it: "))[10:],
        re.search("`(fastscale checkpoint verify .*)`", path.with_suffix(".md").read_text())[1],
    ):
        words = [str(runs[1]) if w == "folder:PATH" else w for w in shlex.split(command)[1:]]
        monkeypatch.chdir(tmp_path if path.name != words[2] else path.absolute().parent)
        assert main(words) == 0 and "as released" in capsys.readouterr().out
        monkeypatch.chdir(tmp_path)
    assert main(["checkpoint", "verify", "other/x.safetensors"]) == 2
    assert "no manifest.json beside it lists it" in capsys.readouterr().err
    assert len(list((tmp_path / "checkpoints").glob("*.safetensors"))) == 1
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_publishing_into_the_clone_needs_out(runs, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("FASTSCALE_CHECKPOINTS")
    for part in ("configs/artifacts", "checkpoints"):
        (tmp_path / "clone" / part).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone")
    with using_home(tmp_path / "clone"):
        assert main(["checkpoint", "publish", RUN, "--runs-dir", str(runs[0])]) == 2
    err = capsys.readouterr().err
    assert "give another folder with --out DIR" in err and err.count("\n") == 1
    assert not list(Path("checkpoints").iterdir())


def test_the_card_has_the_commands_to_train_and_verify(published):
    entry, _, records = published
    text = card(entry, records)
    line = next(x for x in text.splitlines() if x.startswith("fastscale fit"))
    words = shlex.split(line)
    pairs = dict(zip(words[2::2], words[3::2], strict=True))
    assert pairs["--run"] == RUN and pairs["--data.source"] == "folder:PATH"
    assert pairs["--model.recipe.lr"] == "0.05" and pairs["--model.recipe.batch_size"] == "8"
    assert f"fastscale checkpoint verify {entry.name} --data folder:PATH" in text
    assert "fastscale data write folder:PATH\n" in text and "`PATH` stands for your copy" in text
    stored = {"max_resolution": 40, "jpeg_quality": None, "raw_share": 0.5}
    own = [replace(r, env={**r.env, "stored": stored}) for r in records]
    assert "write folder:PATH --max-resolution 40 --raw-share 0.5\n" in card(entry, own)
    assert "/tmp" not in text and str(published[1].parent) not in text


def test_the_spread_is_rounded_once(published):
    entry, _, records = published
    values = [
        r.values["top1_error" + ("_ema" if entry.weights == "averaged" else "")] for r in records
    ]
    assert entry.errors["top1_error"]["mean"] == sum(values) / 2
    clone = home().checkpoints
    assert not clone.exists()  # the test's stand-in for the clone
    error = {"value": 38.8, "n": 3, "mean": 38.78, "std": 0.8150051, "seeds": [0, 1, 2]}
    from fastscale.release.card import percent

    assert percent(error) == "38.80 (mean of 3 runs 38.78, std 0.82)"


def test_no_override_is_no_argument(published, tmp_path):
    _, _, records = published
    recipe = load_recipe("quick")
    content = {
        "hyper_parameters": {"recipe": recipe.as_dict()},
        "trained_with": {"source": recipe.data, "precision": recipe.precision},
    }
    assert further_arguments(replace(records[0], recipe="quick"), content, tmp_path) == ()


@pytest.mark.parametrize(
    ("ancestry", "said"),
    [({"name": "efficientnet-lite0"}, "efficientnet-lite0"), ({"file": "run/seed0"}, "PATH")],
)
def test_the_training_command_names_the_starting_weights(published, tmp_path, ancestry, said):
    _, _, records = published
    recipe = replace(load_recipe("quick"), initial="0123456789ab")
    content = {
        "hyper_parameters": {"recipe": recipe.as_dict()},
        "trained_with": {"source": recipe.data, "ancestry": ancestry},
    }
    found = further_arguments(replace(records[0], recipe="quick"), content, tmp_path)
    assert found == ("--weights", said)
