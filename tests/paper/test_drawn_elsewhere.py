"""Outside the checkout, output goes to the current folder; the checkout stays unchanged."""

from dataclasses import replace

from fastscale.home import home
from fastscale.paper import draw_artifact, load_artifact, regenerate, snapshot
from fastscale.records import read_records
from fastscale.records.committed import committed


def states(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_records_and_figures_are_kept_in_the_current_folder(tmp_path, monkeypatch, synthetic):
    root = home().root / "paper_figures"
    before = states(root)
    monkeypatch.chdir(tmp_path)
    records = [replace(r, values=r.values | {"made_up": 1.0}) for r in synthetic()]
    paths = draw_artifact(load_artifact("quick"), "quick", records)
    made = tmp_path / "paper_figures"
    assert {p.parent for p in paths} == {made / "quick"}
    assert snapshot("quick") == made / "records" / "quick.jsonl"
    assert {r.id for r in read_records(snapshot("quick"))} == {r.id for r in records}
    assert {r.id for r in committed("quick")} == {r.id for r in records}  # not those committed
    regenerate(["table-1"])
    assert (made / "tables" / "table-1.csv").read_bytes() == (
        root / "tables" / "table-1.csv"
    ).read_bytes()
    assert not (made / "README.md").exists(), "the index covers all artifacts"
    assert states(root) == before
