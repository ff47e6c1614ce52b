"""A typo in a drawing or a claim is one line that names the file and the key."""

import shutil

import pytest
import yaml

from fastscale.errors import InputError
from fastscale.home import home
from fastscale.paper import list_artifacts, load_artifact
from fastscale.paper.artifacts import DRAWINGS, Figure
from fastscale.paper.claims import MEASURES

MISTAKES = [
    ("fig-4", "columns:", "colums:", "drawing: unknown key 'colums'; did you mean 'columns'"),
    ("fig-4", "  columns: 2\n", "", "drawing: missing key 'columns'"),
    ("fig-4", "columns: 2", "columns: two", "columns: must be a valid integer, not 'two'"),
    ("fig-4", "columns: 2", "columns: 9999999999", "columns: must be less than or equal to 3"),
    (
        "fig-4",
        "y: time, x: flops",
        "y: tiem, x: flops",
        "panels: entry 2: y: must be 'flops', .*; did you mean 'time'",
    ),
    ("fig-4", "y: time, x: flops", "y: time", "panels: entry 2: missing key 'x'"),
    ("fig-4", "look: strategy", "look: nice", "look: must be 'strategy' or 'family'"),
    (
        "fig-4",
        "minus: efficientnet-b0.dwr",
        "minsu: efficientnet-b0.dwr",
        "unknown key 'minsu'; did you mean 'minus'",
    ),
    ("fig-4", "of: efficientnet-b0.w-x11", "of: efficientnet-b0.q-x11", "of: .*cannot read|of: "),
    ("fig-2", "acts_range_m: 140", "acts_range_m: .nan", "acts_range_m: must be a finite number"),
    ("fig-2", "points: fig2", "points: fig3", "points: must be 'fig2' or 'zoo'"),
    (
        "fig-2",
        "correlation: acts",
        "corelation: acts",
        "measure: unknown measure 'corelation'; did you mean 'correlation'",
    ),
    ("fig-2", "by: runtime", "by: magic", "drawing: by must be one of accelerators, blocks"),
    ("fig-2", "by: runtime", "by: [runtime]", "by must be one of"),
    ("fig-3", "stage: 2", "stage: .inf", "stage: must be a valid integer"),
    ("evidence-cifar10", "reference: dwgr", "reference: dWr2", "reference: unknown strategy"),
    ("evidence-cifar10", "reference: dwgr", "reference: wr", "no network is scaled by 'wr'"),
    ("evidence-cifar10", "{paired: dw,", "{paired: dr,", "no network is scaled by 'dr'"),
    ("evidence-cifar10", "tier: quick", "tier: full", "no tier 'full' is declared"),
    (
        "evidence-cifar10",
        "sizes: [2, 4]",
        "sizes: []",
        r"sizes: must have at least 1 item, not '\[\]'",
    ),
    ("evidence-cifar10", "margin: 1.0", "margin: [1]", "margin: must be a valid number"),
    (
        "evidence-cifar10",
        "seeds: [0, 1, 2]",
        "seeds: [0, x]",
        "seeds: entry 2: must be a valid integer, not 'x'",
    ),
    ("table-1", "strategies: [", "strategies: [dd, ", "strategies: entry 1: unknown strategy 'dd'"),
    ("table-4", "strategy: dWr", "strategy: [dWr]", "strategy: must be a valid string"),
    ("todays-accelerators", "shown: [", "shwon: [", "unknown key 'shwon'"),
    ("imagenette", "seed: 0", "sead: 0", "runs: entry 1: unknown key 'sead'; did you mean 'seed'"),
]


@pytest.fixture
def declared(tmp_path, stay_at):
    """The function that changes one declaration in a copy of all of them, the home of the test."""
    folder = tmp_path / "configs" / "artifacts"
    shutil.copytree(home().artifacts, folder)
    stay_at(tmp_path)

    def change(name, old, new):
        path = folder / f"{name}.yaml"
        assert old in path.read_text(), old
        path.write_text(path.read_text().replace(old, new, 1))
        return tmp_path

    return change


@pytest.mark.parametrize(("name", "old", "new", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_file(declared, name, old, new, message):
    declared(name, old, new)
    with pytest.raises(InputError, match=message) as caught:
        load_artifact(name)
    assert str(caught.value).startswith(f"configs/artifacts/{name}.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_strategy_may_be_spelled_otherwise_in_a_claim_than_in_the_series(declared):
    declared("evidence-cifar10", "reference: dwgr", "reference: rwgd")
    declared(
        "evidence-cifar10", "{paired: alpha=2/3, minus: dwgr}", "{paired: alpha=4/6, minus: dwrg}"
    )
    artifact = load_artifact("evidence-cifar10")
    found = artifact.drawing.trained(artifact, [])
    assert found.besides("rwgd") == found.besides("dwgr") != [*found.strategies]
    assert found.cell("regnety-micro", 2, "rwgd") is found.cell("regnety-micro", 2, "dwgr")


@pytest.mark.parametrize(
    "name", [n for n in list_artifacts() if isinstance(load_artifact(n), Figure)]
)
def test_every_key_of_every_declared_drawing_is_known_and_needed(declared, name):
    artifact = load_artifact(name)
    root = declared(name, "name:", "name:")
    path = root / "configs" / "artifacts" / f"{name}.yaml"
    whole = path.read_text()
    for key in artifact.drawing.model_fields_set:
        if key == "by":
            continue
        content = yaml.safe_load(whole)
        content["drawing"][f"{key}_"] = content["drawing"].pop(key)
        path.write_text(yaml.safe_dump(content))
        with pytest.raises(InputError, match=f"{name}.yaml: drawing: unknown key '{key}_'"):
            load_artifact(name)
        del content["drawing"][f"{key}_"]
        path.write_text(yaml.safe_dump(content))
        if type(artifact.drawing).model_fields[key].is_required():
            with pytest.raises(InputError, match=f"{name}.yaml: drawing: missing key '{key}'"):
                load_artifact(name)


def test_every_measure_in_use_is_declared():
    used = {type(c.measure) for n in list_artifacts() for c in load_artifact(n).claims}
    assert used == set(MEASURES.kinds().values())  # and every declared one is used
    drawn = [load_artifact(n) for n in list_artifacts()]
    assert {a.drawing.by for a in drawn if isinstance(a, Figure)} == set(DRAWINGS.kinds())


@pytest.mark.parametrize("text", ["[" * 50_000, "a: &a [*a, *a]", "name: \udcff"])
def test_a_hostile_declaration_is_one_line(declared, text):
    root = declared("fig-4", "name:", "name:")
    path = root / "configs" / "artifacts" / "fig-4.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(InputError):
        load_artifact("fig-4")
