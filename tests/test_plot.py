"""`fs.plot`: points come from the frame, panels compare like with like, and errors are one line."""

import pytest
from PIL import Image

import fastscale as fs


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    found = fs.records(tmp_path_factory.mktemp("no-runs"))
    small = found["data"].isin(["cifar10", "fashion-mnist"]) & found["strategy"].isin(["dWr", "d"])
    return found[small | found["device"].eq("NVIDIA H100 80GB HBM3")]


def test_error_against_flops_shows_means_over_seeds(frame, tmp_path):
    plot = fs.plot.error_vs_flops(frame)
    assert [chart.heading for chart in plot.picture.panels] == ["cifar10", "fashion-mnist"]
    (mark,) = plot.picture.panels[1].marks[:1]
    rows = frame[frame["data"].eq("fashion-mnist") & frame["top1_error"].notna()]
    rows = rows[rows["arch"] == rows["arch"].iloc[0]]
    assert mark.x == pytest.approx(rows["flops"].iloc[0] / 1e6) and mark.ours
    assert mark.y == pytest.approx(rows["top1_error"].mean())
    assert mark.spread == pytest.approx(rows["top1_error"].std())
    assert "2 panels" in repr(plot)


def test_a_plot_is_displayed_and_saved(frame, tmp_path):
    plot = fs.plot.error_vs_flops(frame, data="fashion-mnist", strategy=["d", "dWr"])
    assert plot._repr_svg_().startswith("<?xml") and len(plot.figure.axes) == 1
    with Image.open(plot.save(tmp_path / "errors.png")) as saved:
        assert saved.format == "PNG" and saved.width > 300
    with pytest.raises(fs.InputError, match=r"ends in .svg or .png"):
        plot.save(tmp_path / "errors.doc")


def test_a_panel_shows_the_times_of_one_device(frame):
    plot = fs.plot.time_vs_acts(frame, device_type="cuda")
    (panel,) = plot.picture.panels
    assert panel.heading == "NVIDIA H100 80GB HBM3" and panel.log_y and len(panel.marks) > 100
    assert {mark.style.label for mark in panel.marks} == {"EfficientNet", "RegNetY", "RegNetZ"}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"dat": "cifar10"}, "no column is named 'dat'; did you mean 'data'"),
        ({"data": "nothing"}, "nothing with data='nothing' has both top1_error and flops"),
        ({"look": "colour"}, "look 'colour': use strategy or family"),
    ],
)
def test_mistakes_are_one_line(frame, where, message):
    with pytest.raises(fs.InputError, match=message):
        fs.plot.error_vs_flops(frame, **where)
