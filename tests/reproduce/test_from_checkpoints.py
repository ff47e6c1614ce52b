"""`reproduce ARTIFACT --from-checkpoints`: released weights give the committed figure.

Differences are printed, and committed files stay untouched.
"""

import pytest

from fastscale.cli import main
from fastscale.home import home
from fastscale.paper import load_artifact
from fastscale.records import read_records
from fastscale.release.score import Score
from fastscale.reproduce import from_checkpoints as room

ARTIFACT = "evidence-cifar10"
MOVED = "regnety-micro.dWr-x2.16"  # the network whose error is changed


@pytest.fixture
def evaluated(monkeypatch):
    """Evaluation returns the manifest's errors, plus `.points` for one network.

    `.sources`: the data sources used. Files are still read and their hashes checked.
    """

    class Evaluated:
        points, same, sources, fetched = 0.0, True, set(), []

    def score_entry(own, checkpoint, source):
        records = room.published(load_artifact(ARTIFACT))
        values = records[own.run, own.seed, own.data].values
        errors = {k: values[k] + Evaluated.points * (own.arch == MOVED) for k in own.errors}
        Evaluated.sources.add(source)
        return Score(errors, 10_000, 10_000, (), "cifar10", "f" * 64, Evaluated.same)

    monkeypatch.setattr(room, "score_entry", score_entry)
    monkeypatch.setattr(room, "fetch_images", lambda specs: Evaluated.fetched.extend(set(specs)))
    return Evaluated


def run(tmp_path, *arguments):
    return main(["reproduce", *arguments, "--from-checkpoints", "--runs-dir", str(tmp_path)])


def test_equal_errors_give_the_committed_figure(evaluated, tmp_path, capsys):
    assert run(tmp_path, ARTIFACT, "--data", f"cifar10:{tmp_path}") == 0
    out = capsys.readouterr().out
    assert "30 of 90 runs have a released checkpoint; the other 60 stay as recorded" in out
    assert "[30/30] " in out and "[ 1/30] regnety-micro.cifar10-2ep, seed 0: top1_error " in out
    assert "about " in out and "largest difference from the records: 0.0000 points" in out
    assert "files equals the committed one" in out and "differs" not in out
    assert evaluated.sources == {f"cifar10:{tmp_path}"} == set(evaluated.fetched)
    made = read_records(tmp_path / "from-checkpoints" / ARTIFACT / "records.jsonl")
    assert len(made) == 30 and made[0].env["evaluated_from"].startswith("efficientnet-micro")


def test_another_error_is_printed_and_drawn(evaluated, tmp_path, capsys):
    committed = home().found("figures", f"{ARTIFACT}.md").read_bytes()
    evaluated.points = 1.5
    assert run(tmp_path, ARTIFACT) == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and MOVED in err and "allowed 0.02" in err
    assert "largest difference from the records: 1.5000 points" in out
    assert f"differs from the committed one: figures/{ARTIFACT}.md, line " in out
    drawn = (tmp_path / "from-checkpoints" / ARTIFACT / "figures" / f"{ARTIFACT}.md").read_bytes()
    assert drawn != committed == home().found("figures", f"{ARTIFACT}.md").read_bytes()
    assert evaluated.sources == {"cifar10"}


def test_other_images_are_refused(evaluated, tmp_path, capsys):
    evaluated.same = False
    assert run(tmp_path, ARTIFACT) == 2
    assert "cifar10 here is not the data of regnety-micro" in capsys.readouterr().err


def test_a_dry_run_lists_what_it_would_evaluate(evaluated, tmp_path, capsys):
    assert run(tmp_path, ARTIFACT, "--dry-run") == 0
    assert "regnety-micro.cifar10-2ep, seed 0: regnety-micro_cifar10-" in capsys.readouterr().out
    assert not evaluated.sources and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "needs the name of an artifact"),
        (("table-1",), "'table-1' has no runs"),
        (("evidence-imagenet",), "no checkpoint of evidence-imagenet's runs is released"),
        ((ARTIFACT, "--jobs", "2"), "--jobs and --from-checkpoints: nothing is trained"),
        ((ARTIFACT, "--tier", "smoke"), "needs the name of an artifact"),
        ((ARTIFACT, "--data", "imagenette:/x"), "these runs train on cifar10"),
    ],
)
def test_mistakes_are_one_line(evaluated, tmp_path, capsys, arguments, line):
    assert run(tmp_path, *arguments) == 2
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1
