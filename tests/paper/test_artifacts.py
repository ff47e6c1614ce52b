"""Declarations: their runs, and the errors of wrong ones."""

from pathlib import Path

import pytest

from fastscale.archs.names import RunName
from fastscale.errors import InputError
from fastscale.paper import list_artifacts, load_artifact
from fastscale.paper.build import pages, write_pages
from fastscale.references.networks import PAPER_BASES, TABLES
from fastscale.scaling import arch_named


def test_every_declared_artifact_loads():
    names = list_artifacts()
    assert {"quick", "table-1", "table-2", "table-4", "published-counts"} <= set(names)
    for name in names:
        artifact = load_artifact(name)
        assert artifact.name == name and artifact.title and artifact.shows and artifact.outputs


def test_quick_runs():
    artifact = load_artifact("quick")
    runs = artifact.runs
    assert len(runs) == 8 and len(set(runs)) == 8
    assert [run.seed for run in runs] == [0] * 6 + [1] * 2
    assert runs[0].run == "regnety-tiny.quick" and runs[0].strategy is None and runs[0].factor == 1
    assert [run.strategy for run in runs[:6]] == [None, "d", "wg", "r", "dwgr", "dWr"]
    assert runs[5].run == "regnety-tiny.dWr-x4.quick" and runs[5].arch == "regnety-tiny.dWr-x4"
    assert {run.data for run in runs} == {"fashion-mnist"} and {run.recipe for run in runs} == {
        "quick"
    }
    for run in runs:
        assert arch_named(RunName.parse(run.run).network).name == run.arch
    assert artifact.timings == [run.arch for run in runs[:6]]


def test_artifacts_without_runs():
    artifact = load_artifact("table-1")
    assert artifact.runs == [] and artifact.timings == [] and artifact.plan("full") is None


def test_published_networks_exist():
    """Each label has one name of ours."""
    found = {(n.source, n.label): n.arch for n in load_artifact("published-counts").networks}
    assert found == TABLES and all(arch_named(name).name == name for name in found.values())
    bases = [n.arch for n in load_artifact("definitions").networks if n.source == "definitions"]
    assert bases == list(PAPER_BASES.values())


def test_a_published_label_without_a_name_here_is_refused(checkout_copy):
    file = checkout_copy() / "configs" / "artifacts" / "published-counts.yaml"
    file.write_text(file.read_text().replace("label: RegNetY 1GF", "label: RegNetY 3GF"))
    with pytest.raises(InputError, match="networks: entry 1: 'RegNetY 3GF' of xiao2021_table2 has"):
        load_artifact("published-counts")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match=r"no artifact is named 'quik'; did you mean 'quick'"):
        load_artifact("quik")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "unknown key 'titel'; did you mean 'title'"),
        ("kind: comparison", "kind: poem", "kind must be one of theory, group-width, counts"),
        ("name: quick", "name: slow", "the file's name says 'quick'"),
        ("    seeds: [0, 1]", "    seeds: [0, 1]\n    colour: red", "unknown key 'colour'"),
        ("    recipe: quick\n", "", "missing key 'recipe'"),
        (
            "factors: [4]",
            "factors: [four]",
            "tiers: quick: series: entry 2: factors: entry 1: must be a valid number, not 'four'",
        ),
        ("base: regnety-tiny", "base: regnety-huge", "no network is named 'regnety-huge'"),
        ("[d, wg,", "[q, wg,", "unknown strategy 'q'"),
        ("kind: comparison", "kind: [", "not YAML"),
        ("name: quick", "name: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_wrong_declarations_are_refused(checkout_copy, old, new, message):
    root = checkout_copy()
    file = root / "configs" / "artifacts" / "quick.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        load_artifact("quick")
    assert (
        message in str(caught.value)
        and "quick.yaml" in str(caught.value)
        and "\n" not in str(caught.value)
    )


def test_a_file_that_is_no_longer_drawn_goes_and_one_being_written_stays(tmp_path):
    artifact = load_artifact("table-1")
    folder = tmp_path / Path(artifact.outputs[0]).parent
    folder.mkdir(parents=True)
    name = Path(artifact.outputs[0]).name
    old, part = folder / f"{name}.png", folder / f"{name}.csv.0000-1.part"  # of another machine
    for path in (old, part):
        path.write_text("")
    drawn = write_pages(artifact, pages(artifact, []), tmp_path)
    assert not old.exists() and part.exists()
    assert {*folder.iterdir()} == {*drawn, part}
