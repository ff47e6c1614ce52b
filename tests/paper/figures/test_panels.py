"""The paper's figures: what is drawn, what is left out and named, and the same bytes every time."""

import csv
import io
import subprocess
import sys
from dataclasses import replace

import pytest

from fastscale.paper.artifacts import list_artifacts, load_artifact
from fastscale.paper.build import index, produce_artifact
from fastscale.paper.chart import Chart, Fit, Mark, Picture
from fastscale.paper.figures.panels import PanelSpec, panel, subtitle, title, without_points
from fastscale.paper.figures.runtime import draw_runtime
from fastscale.paper.render import files, legend_handles
from fastscale.paper.smoke import png_chunks
from fastscale.paper.style import strategy_style
from fastscale.paper.tables.claims import sentences
from fastscale.paper.verdicts import verdicts
from fastscale.paper.views import views
from fastscale.records.committed import committed

GPU = {"device": "made-up accelerator", "device_type": "cuda"}


def rows(path):
    return {row["arch"]: row for row in csv.DictReader(io.StringIO(path.read_text()))}


def test_without_records_the_papers_points_alone(tmp_path):
    paths = produce_artifact(load_artifact("fig-4"), [], tmp_path)
    assert [p.name for p in paths] == [
        f"fig-4.{suffix}" for suffix in ("svg", "png", "md", "csv", "tex")
    ]
    found = rows(tmp_path / "figures" / "fig-4.csv")
    assert len(found) == 19 and "top1_error_mean" not in found["efficientnet-b0"]
    assert float(found["efficientnet-b0.w-x11"]["top1_error_paper"]) == 18.16
    assert float(found["efficientnet-b4"]["epoch_time_min_paper"]) == 19.27
    text = (tmp_path / "figures" / "fig-4.md").read_text()
    assert "read off the paper's plots" in text and "19 of 19 planned networks" in text


def test_ours_beside_the_papers(measured, tmp_path):
    produce_artifact(load_artifact("fig-4"), measured("fig-4", seeds=(0, 1), **GPU), tmp_path)
    found = rows(tmp_path / "figures" / "fig-4-on-made-up-accelerator.csv")["efficientnet-b0.w-x11"]
    assert float(found["top1_error_difference"]) == pytest.approx(
        float(found["top1_error_mean"]) - 18.16
    )
    assert found["top1_error_n"] == "2" and float(found["top1_error_std"]) == pytest.approx(
        0.5**0.5
    )
    assert float(found["epoch_time_ratio"]) == pytest.approx(float(found["epoch_time_min"]) / 8.85)
    text = (tmp_path / "figures" / "fig-4-on-made-up-accelerator.md").read_text()
    assert "**Times measured on one made-up accelerator" in text and "means of up to 2 runs" in text


def test_a_cpus_times_make_no_picture(measured):
    artifact = load_artifact("fig-4")
    assert [view.name for view in views(artifact, measured("fig-4"))] == ["fig-4"]
    (_, view) = views(artifact, measured("fig-4", **GPU))
    chart = panel(view, PanelSpec(y="time", x="flops"), "strategy")
    assert {mark.ours for mark in chart.marks} == {True, False}
    assert title(artifact, view).endswith("Our times: one made-up accelerator")
    assert subtitle(view, [chart])[0].endswith("times on 8 V100.")


def test_published_times_stand_beside_ours_in_fig_2_and_stand_ins_are_marked(measured):
    artifact = load_artifact("fig-2")
    records = [
        replace(
            r,
            values={"eager_step_time_s": 1.0, "epoch_time_min": r.acts / 1e6}
            | ({} if r.arch.endswith("x96") else {"device_step_time_s": 1.0}),
            env=r.env | {"cuda_graph": not r.arch.endswith("x96")},
        )
        for r in measured("fig-2", **GPU)
    ]
    (page,) = [p for p in draw_runtime(artifact, artifact.drawing, records) if "on-" in p.name]
    (picture,) = page.pictures.values()
    flops = picture.panels[0]
    ours = [mark for mark in flops.marks if mark.ours]
    assert len(ours) == 61 and sum(mark.stand_in for mark in ours) == 4
    assert len(flops.marks) == 61 + 56, "every published point of the panel"
    assert any("flops: without 4 stand-ins r = " in note for note in picture.notes)
    assert "black edge: eager time stands in" in [h.get_label() for h in legend_handles(picture)]
    assert "without 4 stand-ins r = " in page.caption[1]


def test_other_data_is_in_the_title(measured):
    artifact = load_artifact("fig-6")
    records = measured(
        "fig-6", seeds=(0,), timed=False, recipe="imagenette-60ep", data="imagenette"
    )
    view = views(artifact, records)[1]
    assert title(artifact, view).endswith("Our errors: Imagenette, not the paper's recipe")
    assert panel(
        view, PanelSpec(y="error", x="flops"), "strategy"
    ).marks and not view.published_values("error")


def test_a_panel_without_points_is_left_out_and_named(tmp_path):
    produce_artifact(load_artifact("fig-5"), [], tmp_path)
    text = (tmp_path / "figures" / "fig-5.md").read_text()
    assert (
        "Left out, with nothing published or recorded: error against flops of regnety-500mf" in text
    )
    assert "The paper's points of this figure are not known" in text
    view = views(load_artifact("fig-5"), [])[0]
    assert panel(view, PanelSpec(y="error", x="flops"), "strategy") is None
    assert (
        len(panel(view, PanelSpec(y="acts", x="flops", base="regnety-500mf"), "strategy").marks)
        == 13
    )


def test_of_dwr_and_dwgr_which_look_alike_the_planned_one_is_drawn():
    timed = views(load_artifact("fig-5"), committed())[-1]
    assert {"dwr", "dwgr"} <= {p.strategy for p in timed.our_values("time")}
    drawn = panel(timed, PanelSpec(y="time", x="flops", base="regnety-500mf"), "strategy")
    labels = {mark.style.label.partition(":")[0] for mark in drawn.marks}
    assert labels == {"base", "d", "wg", "r", "dwgr"}


def test_runtime_variants(measured, tmp_path):
    paths = produce_artifact(load_artifact("zoo-v100"), measured("zoo-v100", **GPU), tmp_path)
    assert {p.stem for p in paths} == {"zoo-v100", "zoo-v100-on-made-up-accelerator"}
    text = (tmp_path / "figures" / "zoo-v100-on-made-up-accelerator.md").read_text()
    assert "r = 1.00, of logs 1.00, n = 36 (8 V100: 0.93)" in text
    assert "r = 0.93, of logs 0.98, n = 36" in (tmp_path / "figures" / "zoo-v100.md").read_text()


def test_same_inputs_same_bytes(measured, tmp_path):
    records = measured("fig-6", seeds=(0, 1), **GPU)
    artifact = load_artifact("fig-6")
    one = produce_artifact(artifact, records, tmp_path / "one")
    two = produce_artifact(artifact, records[::-1], tmp_path / "two")
    assert [p.name for p in one] == [p.name for p in two] and len(one) == 10
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
        if a.suffix == ".png":
            assert set(png_chunks(a.read_bytes())) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
        if a.suffix == ".svg":
            assert "dc:date" not in a.read_text()


def test_same_bytes_from_another_process(tmp_path):
    here = produce_artifact(load_artifact("fig-6"), [], tmp_path / "here")
    code = (
        "import sys, pathlib, matplotlib; matplotlib.rcParams['font.size'] = 30\n"
        "from fastscale.paper.artifacts import load_artifact\n"
        "from fastscale.paper.build import produce_artifact\n"
        "produce_artifact(load_artifact('fig-6'), [], pathlib.Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True)
    for path in here:
        assert path.read_bytes() == (tmp_path / "there" / "figures" / path.name).read_bytes(), (
            path.name
        )


def test_a_name_is_in_the_legend_once_and_one_point_can_be_drawn():
    marks = [
        Mark(strategy_style("w"), 1.0, 2.0),
        Mark(strategy_style("w"), 1.5, 2.5),
        Mark(strategy_style("wg"), 2.0, 3.0, 0.1, ours=True),
    ]
    picture = Picture("", [], [Chart("x", "y", marks)])
    assert [handle.get_label() for handle in legend_handles(picture)] == [
        "w: width",
        "wg: width",
        "hollow: published",
        "filled: ours",
    ]
    charts = [
        Chart(
            "x", "y", marks[:1], log_x=True, log_y=True, fits=(Fit(1.0, 0.0, 1.0, 2.0, power=True),)
        ),
        Chart("x", "y", marks, join=True),
    ]
    made = files(Picture("title\nsecond line", ["said " * 60], charts, 2, "caution"))
    assert len(made["svg"]) > 1000 and len(made["png"]) > 1000


def test_the_index_has_every_artifact(measured):
    records = measured("fig-6", seeds=(0,), **GPU)
    found = verdicts(records)
    text = index(records, found, sentences(found))
    for name in list_artifacts():
        artifact = load_artifact(name)
        assert artifact.title in text and (
            artifact.kind == "comparison" or f"{artifact.outputs[0]}.md" in text
        ), name
    assert "figures/fig-6-on-made-up-accelerator.png" in text
    figure = load_artifact("fig-6")
    assert figure.drawing.recorded(figure, records) == (
        "Our records: trained 17 of 17; timed on made-up accelerator, 16-mixed, channels_last, "
        "eager time (host launches included) 17 of 17."
    )


def test_a_picture_says_whose_points_it_shows_and_which_series_have_none():
    """The picture names other people's recipes, and series without a point."""
    for name, message in (
        ("fig-1", "Hollow: published; ImageNet"),
        ("large-networks", "published by Xiao et al. 2021, with a recipe that is not the paper's"),
    ):
        artifact = load_artifact(name)
        (view,) = views(artifact, [])
        drawn = [
            (spec, panel(view, spec, artifact.drawing.look)) for spec in artifact.drawing.panels
        ]
        assert message in subtitle(view, [chart for _, chart in drawn])[0]
        absent = without_points(view, drawn, artifact.drawing.look)
        assert absent == (
            ["No point of dw among the errors and epoch times."] if name == "fig-1" else []
        )
