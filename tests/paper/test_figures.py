"""House style: one look a strategy, round ticks, labels that keep apart."""

import itertools

import pytest

from fastscale.paper.figures import Panel, Point, draw, house_style, legend, plain_ticks
from fastscale.paper.labels import Label, place_labels, spread_out
from fastscale.paper.looks import IN_WORDS, family_look, strategy_look
from fastscale.records.frame import family_of


def test_each_strategy_has_its_own_colour_and_marker():
    looks = [strategy_look(name)[:2] for name in (None, *IN_WORDS, "alpha=2/3", "orig")]
    assert (
        len({colour for colour, _ in looks})
        == len({marker for _, marker in looks})
        == len(looks)
        == 11
    )


def test_each_family_has_its_own_colour_and_marker():
    bases = (
        "efficientnet-b0",
        "regnetx-400mf.dds",
        "regnety-4gf",
        "regnetz-500mf",
        "resnet-50",
        "resnext-101",
    )
    looks = [family_look(family_of(base)) for base in bases]
    assert (
        len({look.colour for look in looks})
        == len({look.marker for look in looks})
        == len({look.words for look in looks})
        == 6
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("w", "wg"),
        ("dwr", "dwgr"),
        ("dWr", "d1_w8_g8_r1"),
        ("dWr", "alpha=4/5"),
        ("dwr", "alpha=1/3"),
    ],
)
def test_two_spellings_look_the_same(a, b):
    assert strategy_look(a)[:3] == strategy_look(b)[:3]


def test_a_strategy_with_group_width_is_named_as_it_was_run():
    assert (
        strategy_look("wg").words == "wg: width"
        and strategy_look("dwgr").words == "dwgr: all alike (compound)"
    )
    assert strategy_look("alpha=0.8").words == strategy_look("dWr").words


def test_legend_names_what_is_drawn():
    panel = Panel("x", "y", [Point(None, 1, 1), Point("wg", 2, 2), Point("dWr", 2, 2)])
    assert legend([panel, panel]) == "wg: width   dWr: mostly width (fast compound)"


@pytest.mark.parametrize(("low", "high"), [(0.9, 5.3), (0.3, 40), (3, 5), (1, 5000)])
def test_ticks_are_round_and_few(low, high):
    ticks = plain_ticks(low, high)
    assert 2 <= len(ticks) <= 7 and all(low <= tick <= high for tick in ticks)
    assert all(f"{tick:g}".strip("0.") in "12345678" for tick in ticks)


def test_spread_out_keeps_order_and_distance():
    heights = spread_out([100, 99, 98, 20, 3], 10, 0, 100)
    assert all(a - b >= 10 - 1e-9 for a, b in itertools.pairwise(heights))
    assert heights[0] <= 100 and heights[-1] >= 0
    assert spread_out([90, 50, 10], 10, 0, 100) == [90, 50, 10]


def test_labels_do_not_cover_each_other_or_the_points():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    with house_style():
        figure = Figure(figsize=(7, 5))
        canvas = FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        labels = [
            Label(x, y, 0.0, f"net{i}")
            for i, (x, y) in enumerate([(1, 1), (1.05, 1.02), (1.1, 1), (3, 3), (3, 3.1)])
        ]
        ax.plot([p.x for p in labels], [p.y for p in labels], "o")
        ax.set_xlim(0, 4)
        ax.set_ylim(0, 4)
        canvas.draw()
        place_labels(ax, labels)
        canvas.draw()
        boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in ax.texts]
        assert len(boxes) == len(labels)
        assert not any(Bbox.intersection(a, b) for a, b in itertools.combinations(boxes, 2))
        centres = ax.transData.transform([(p.x, p.y) for p in labels])
        assert not any(box.contains(x, y) for box in boxes for x, y in centres)


def test_single_point_and_no_spread_can_be_drawn(tmp_path):
    paths = draw(
        [Panel("x", "y", [Point("d", 2.0, 5.0)], zero_y=False, log_x=True, column=True)],
        "T",
        "s",
        tmp_path,
        "one",
    )
    assert [p.name for p in paths] == ["one.svg", "one.png"] and all(
        p.stat().st_size > 1000 for p in paths
    )
