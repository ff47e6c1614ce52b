"""The smoke tier on a copy of the checkout: it passes as made, and fails if one number changes."""

import shutil
from dataclasses import replace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fastscale.errors import InputError
from fastscale.home import using_home
from fastscale.paper import draw_artifact, load_artifact, regenerate, select, snapshot
from fastscale.paper.smoke import difference, rewrite, smoke
from fastscale.records import read_records, write_snapshot


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, checkout_copier, synthetic_records):
    """A copy of the checkout, drawn with a snapshot of made-up records; do not change it."""
    root = checkout_copier(tmp_path_factory.mktemp("made"))
    with using_home(root):
        write_snapshot(snapshot("quick"), synthetic_records())
        regenerate()
    return root


@pytest.fixture
def made(made_once, tmp_path, stay_at):
    """A copy of `made_once` that a test may change."""
    return stay_at(shutil.copytree(made_once, tmp_path / "made"))


def test_passes_on_what_was_just_made(made, tmp_path):
    assert smoke(tmp_path / "again") == []
    assert (tmp_path / "again" / "quick" / "comparison.md").is_file()


CHANGED = [
    ("tables/table-4.csv", "3/5", "1/2"),
    ("tables/zoo-counts.md", "4,089,185,256", "4,089,185,257"),
    ("tables/published-counts.csv", "1.047175162", "1.047175163"),
    ("quick/comparison.md", "| dWr | 4 |", "| dWr | 5 |"),
    ("quick/epoch-time-vs-acts.svg", "stroke-width: 1.2", "stroke-width: 1.3"),
]


def test_each_changed_number_is_one_line(made):
    """So is each missing or unknown file. `rewrite` restores all but the unknown one."""
    folder = made / "paper_figures"
    changed = [folder / file for file, _, _ in CHANGED]
    gone = folder / "tables" / "table-1.md"
    before = {path: path.read_text() for path in (*changed, gone)}
    for path, (_, old, new) in zip(changed, CHANGED, strict=True):
        assert old in before[path]
        path.write_text(before[path].replace(old, new, 1))
    gone.unlink()
    (folder / "tables" / "table-9.md").write_text("by hand")
    written, wrong = rewrite()
    assert len(written) == len(CHANGED) + 1 and not any("\n" in line for line in written)
    for file, _, new in CHANGED:
        (line,) = [line for line in written if line.startswith(f"{file}, line ")]
        assert new in line or new[-8:] in line
    assert "tables/table-1.md: missing" in written
    assert wrong == ["tables/table-9.md: nothing makes this file"]
    assert {path: path.read_text() for path in before} == before


def test_a_changed_record_or_reference_shows_in_what_is_drawn(made):
    path = snapshot("quick")
    path.write_text(path.read_text().replace('"top1_error":1', '"top1_error":2', 1))
    reference = made / "paper_figures" / "reference" / "correlations.csv"
    reference.write_text(reference.read_text().replace(",acts,.99", ",acts,.89"))
    found = smoke()
    assert any(line.startswith("quick/comparison.md") for line in found)
    assert any(
        line.startswith("quick/error-vs-flops.png") and "pixels differ" in line for line in found
    )
    assert any(line.startswith("quick/correlation.csv") for line in found)


def test_pictures_are_compared_by_pixels(made_once, tmp_path):
    made, path = (
        made_once / "paper_figures" / "quick" / "epoch-time-vs-all.png",
        tmp_path / "committed.png",
    )
    picture = Image.open(made)
    picture.load()
    picture.save(path, compress_level=1, dpi=(150, 150))
    assert path.read_bytes() != made.read_bytes()
    assert difference(path, made, "it") is None
    note = PngInfo()
    note.add_text("Software", "by hand")
    picture.save(path, pnginfo=note)
    assert difference(path, made, "it") == "it: committed file carries metadata (tEXt)"
    picture.putpixel((5, 5), (0, 0, 0, 255))
    picture.save(path)
    assert (
        difference(path, made, "it") == f"it: 1 of {picture.width * picture.height} pixels differ"
    )
    picture.crop((0, 0, 9, 9)).save(path)
    assert (
        difference(path, made, "it")
        == f"it: committed 9 x 9 pixels, rebuilt {picture.width} x {picture.height}"
    )
    path.write_bytes(b"not a picture")
    assert difference(path, made, "it") == "it: committed file is not a PNG"


def test_without_records_figures_show_references_alone(small_copy):
    root = small_copy()
    paths = regenerate()
    assert {path.parent.name for path in paths} == {"tables", "figures", "paper_figures"}
    assert "trained 0 of 17; timed 0 of 17" in (root / "paper_figures" / "README.md").read_text()
    assert (
        "We have no error for 17 of 17"
        in (root / "paper_figures" / "figures" / "fig-6.md").read_text()
    )
    assert smoke() == []


def test_one_artifact_alone(made):
    picture = made / "paper_figures" / "figures" / "fig-6.svg"
    old, other = picture.read_bytes(), made / "paper_figures" / "tables" / "table-1.md"
    picture.write_text("by hand")
    other.write_text("by hand")
    paths = regenerate(names=["fig-6"])
    assert {p.name for p in paths} == {
        f"fig-6.{suffix}" for suffix in ("svg", "png", "md", "csv", "tex")
    }
    assert picture.read_bytes() == old and other.read_text() == "by hand"


def test_a_record_makes_a_variant_and_a_verdict(made, measured):
    records = measured("fig-6", device="made-up accelerator", device_type="cuda")
    write_snapshot(made / "paper_figures" / "records" / "timing-made-up.jsonl", records)
    found = smoke()
    assert "figures/fig-6-on-made-up-accelerator.svg: missing" in found
    assert any(line.startswith("claims.csv") for line in found) and any(
        line.startswith("README.md") for line in found
    )


def test_reproduced_records_are_kept_and_drawn(made, measured):
    """A newer record of a fact replaces the older; records of other devices stay."""
    artifact = load_artifact("fig-6")
    gpu = measured("fig-6", device="made-up accelerator", device_type="cuda")
    draw_artifact(artifact, "full", select(gpu, artifact, "full"))
    other = measured("fig-6", seeds=(0,), device="another", device_type="cuda") + [
        replace(r, values=r.values | {"epoch_time_min": 9.0}) for r in gpu
    ]
    paths = draw_artifact(artifact, "full", select(other, artifact, "full"))
    assert {p.stem for p in paths} == {
        "fig-6",
        "fig-6-on-made-up-accelerator",
        "fig-6-on-another",
    }
    kept = read_records(snapshot("fig-6"))
    assert len(kept) == 17 * 3 and {
        r.values["epoch_time_min"] for r in kept if r.env["device"] == "made-up accelerator"
    } == {9.0}
    before = {path: path.read_bytes() for path in paths}
    regenerate(names=["fig-6"])
    assert {path: path.read_bytes() for path in paths} == before


def test_a_missing_reference_is_one_line(made):
    (made / "paper_figures" / "reference" / "paper_points.csv").unlink()
    with pytest.raises(
        InputError,
        match=r"^paper_points\.csv: cannot read the reference points .*; "
        r"restore paper_figures/reference$",
    ):
        regenerate(names=["fig-6"])
